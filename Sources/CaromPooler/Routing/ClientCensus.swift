// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromTCP
import Synchronization

/// How many clients a database and a user may have over all routes, as one route goes by it; nil is no limit.
struct ClientLimits: Equatable, Sendable {
    var database: Int?
    var user: Int?
}

extension ClientLimits {
    /// The most specific counts: what the block says, else the top.
    init(_ route: RouteSettings, _ settings: Settings) {
        database = (route.database.maxClients ?? settings.maxDatabaseClients).limit
        user = (route.maxUserClients ?? settings.maxUserClients).limit
    }
}

extension Int? {
    /// 0 is no limit.
    var limit: Int? { self == 0 ? nil : self }
}

/// Counts the clients of each database and of each user over all routes and workers, by the names that clients gave.
///
/// Everybody is counted, whether there are limits or not: one that a reload brings counts those who are here already.
final class ClientCensus: Sendable {
    /// Which limit leaves no room.
    enum Shortage: Error, Equatable {
        case database(limit: Int)
        case user(limit: Int)

        /// What the client is told.
        func refusal(database: String, user: String) -> SessionEnd {
            let reason =
                switch self {
                case .database(let limit):
                    "database \"\(database)\": max_db_client_connections is \(limit)"
                case .user(let limit): "user \"\(user)\": max_user_client_connections is \(limit)"
                }
            return .fatal(.tooManyConnections, "too many clients for \(reason)")
        }
    }

    private struct Counts {
        var databases: [String: Int] = [:]
        var users: [String: Int] = [:]
    }

    private let counts = Mutex(Counts())

    /// The same as ``enter(database:user:_:)``, with the refusal that the client is told; also where `memory_limit` is met.
    func admit(database: String, user: String, _ limits: ClientLimits) throws(SessionEnd) {
        if BufferMemory.isExhausted { throw .outOfMemory }
        do throws(Shortage) { try enter(database: database, user: user, limits) } catch {
            throw error.refusal(database: database, user: user)
        }
    }

    /// Counts one more client, if neither limit is reached.
    func enter(database: String, user: String, _ limits: ClientLimits) throws(Shortage) {
        let shortage: Shortage? = counts.withLock { counts in
            if let limit = limits.database, counts.databases[database, default: 0] >= limit {
                return .database(limit: limit)
            }
            if let limit = limits.user, counts.users[user, default: 0] >= limit {
                return .user(limit: limit)
            }
            counts.databases[database, default: 0] += 1
            counts.users[user, default: 0] += 1
            return nil
        }
        if let shortage { throw shortage }
    }

    /// A client that was counted leaves. Names without clients are forgotten: clients may choose them.
    func leave(database: String, user: String) {
        counts.withLock { counts in
            Self.remove(database, from: &counts.databases)
            Self.remove(user, from: &counts.users)
        }
    }

    /// Clients of each user that has any.
    var users: [String: Int] { counts.withLock { $0.users } }

    private static func remove(_ name: String, from counts: inout [String: Int]) {
        guard let count = counts[name] else { preconditionFailure("a client left that was not counted") }
        counts[name] = count > 1 ? count - 1 : nil
    }
}
