// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// After how long something ends, as the top of the file says it for all routes, and a route for itself. `nil` says nothing.
package struct TimeLimits: Equatable, Sendable {
    /// `query_timeout`: a request without an answer ends the session.
    package var query: TimeLimit?
    /// `transaction_timeout`: a transaction ends the session.
    package var transaction: TimeLimit?
    /// `idle_transaction_timeout`: a client that does nothing in a transaction is let go.
    package var idleTransaction: TimeLimit?
    /// `client_idle_timeout`: a client that does nothing outside a transaction is let go.
    package var clientIdle: TimeLimit?
    /// `pool_timeout` or `query_wait_timeout`: a client that waits for a server is let go.
    package var wait: TimeLimit?
    /// `query_wait_notify`: a client that waits for a server is told so.
    package var waitNotice: TimeLimit?
    /// `pool_ttl` or `server_idle_timeout`: an idle server is closed.
    package var serverIdle: TimeLimit?
    /// `server_lifetime`: an older server is closed when idle.
    package var serverLifetime: TimeLimit?

    package init() {}

    /// What holds where nothing is said.
    package static let standard: TimeLimits = {
        var limits = TimeLimits()
        for path in all { limits[keyPath: path] = .never }
        limits.serverLifetime = .after(.seconds(3600))
        return limits
    }()

    /// What these do not say is as the others say.
    package func filled(from others: TimeLimits) -> TimeLimits {
        var limits = self
        for path in Self.all where limits[keyPath: path] == nil {
            limits[keyPath: path] = others[keyPath: path]
        }
        return limits
    }

    private static var all: [WritableKeyPath<TimeLimits, TimeLimit?>] {
        [
            \.query, \.transaction, \.idleTransaction, \.clientIdle, \.wait, \.waitNotice, \.serverIdle,
            \.serverLifetime,
        ]
    }
}

/// After how long something happens.
package enum TimeLimit: Hashable, Sendable {
    case never
    case after(Duration)

    /// `nil` for never.
    package var duration: Duration? {
        switch self {
        case .never: nil
        case .after(let duration): duration
        }
    }
}
