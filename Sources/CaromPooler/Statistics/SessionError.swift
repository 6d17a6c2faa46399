// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What goes wrong for clients, by the names that Odyssey has for it. Of its names those are missing that nothing here stands for.
enum SessionError: String, CaseIterable, Sendable {
    /// No server was had in time, or as many wait as may.
    case attachTooMany = "OD_EATTACH_TOO_MANY_CONNECTIONS"
    /// No server could be connected to.
    case serverConnect = "OD_ESERVER_CONNECT"
    /// A server was lost, and its client had to be told.
    case serverRead = "OD_ESERVER_READ"
    /// A client that had logged in went without a goodbye.
    case clientRead = "OD_ECLIENT_READ"
    /// An operator has ended the client.
    case clientKilled = "OD_ECLIENT_KILLED"
    /// A login, a query or a transaction took too long.
    case clientTimeout = "OD_ECLIENT_TIMEOUT"
    /// A client has sent what the protocol does not know, or not there.
    case clientProtocol = "OD_ECLIENT_PROTOCOL_ERROR"
    /// The pooler was going down.
    case shutdown = "OD_EGRACEFUL_SHUTDOWN"
    /// A client did nothing for too long, outside of a transaction or in one.
    case idle = "OD_EIDLE_TIMEOUT"
    case idleInTransaction = "OD_EIDLE_IN_TRANSACTION_TIMEOUT"
    /// Nobody may come by these names.
    case noRoute = "OD_ROUTER_ERROR_NOT_FOUND"
    /// There are too many clients: of the pooler, or of the route, the database or the user.
    case clientLimit = "OD_ROUTER_ERROR_LIMIT"
    case routeLimit = "OD_ROUTER_ERROR_LIMIT_ROUTE"

    /// A session ends, and with this error, unless whoever ended it has counted one.
    ///
    /// - Parameters:
    ///   - isLoggingIn: it has no route yet, so that what it is told is our own word.
    ///   - isAdmitted: the pooler as a whole had room for it.
    init?(_ end: SessionEnd, isLoggingIn: Bool, isAdmitted: Bool) {
        switch end {
        case .terminated, .handedOver, .cutOff: return nil
        case .clientLeft:
            if isLoggingIn { return nil }
            self = .clientRead
        case .loginTimedOut: self = .clientTimeout
        case .shutdown: self = .shutdown
        case .refused(let fields):
            switch fields.code {
            case .protocolViolation: self = .clientProtocol
            case .invalidCatalogName where isLoggingIn: self = .noRoute
            case .tooManyConnections where isLoggingIn: self = isAdmitted ? .routeLimit : .clientLimit
            default: return nil
            }
        }
    }

    /// What has lasted too long; nil for what ends nobody.
    init?(_ excess: TimeWatch.Excess) {
        switch excess {
        case .query, .transaction: self = .clientTimeout
        case .idleTransaction: self = .idleInTransaction
        case .clientIdle: self = .idle
        case .wait: return nil
        }
    }
}
