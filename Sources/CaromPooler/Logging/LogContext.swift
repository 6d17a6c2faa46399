// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgres

/// How bad it is; the words are those of `%l`.
package enum LogLevel: String, CaseIterable, Hashable, Sendable {
    /// The pooler cannot go on.
    case fatal
    /// Something did not work.
    case error
    /// What happened.
    case info
    /// What happened, for those who look for a mistake.
    case debug
}

/// What was going on when a line was written; the words are those of `%c`.
package enum LogPhase: String, CaseIterable, Hashable, Sendable {
    case config
    case system
    case startup
    case route
    case setup
    case main
    case reset
    case cleanup
    case server
    case pool
    case resolver
    case console
    case stats
}

/// What a log line is about. It is made for the line.
package struct LogContext: Hashable, Sendable {
    package var phase: LogPhase
    package var clientID: ConnectionID?
    package var serverID: ConnectionID?
    /// As the client gave it: not to be trusted; lines escape it.
    package var user: String?
    /// As the client gave it: not to be trusted; lines escape it.
    package var database: String?
    package var clientHost: String?
    package var clientPort: Int?
    package var serverHost: String?
    /// Who an outside authenticator says the client is.
    package var externalID: String?

    package init(_ phase: LogPhase) {
        self.phase = phase
    }

    /// About the pooler as a whole.
    package static let system = LogContext(.system)
}
