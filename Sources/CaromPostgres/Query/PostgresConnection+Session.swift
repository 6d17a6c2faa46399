// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What a server does in a replication set-up.
@nonexhaustive
public enum PostgresRole: String, Hashable, Sendable {
    /// It takes writes.
    case primary
    /// It follows another server and is read only.
    case standby
}

extension PostgresConnection {
    /// The server's role as it reported it last; nil if it does not say (PostgreSQL before 14).
    public var role: PostgresRole? {
        switch state.reported[ServerState.roleParameter] {
        case "on": .standby
        case "off": .primary
        default: nil
        }
    }

    /// The server's version as it prints it, such as `15.4`.
    public var serverVersion: String? { state.initial["server_version"] }

    /// Whether a transaction is open, failed ones included. For the holder of the connection, between two statements.
    public var isInTransaction: Bool { state.flow.transactionStatus != .idle }

    /// Has the session reset (`DISCARD ALL`) before anybody else gets it.
    ///
    /// That happens by itself after `SET`, `PREPARE`, `LISTEN`, `LOAD` and `DECLARE`, and when a reported parameter
    /// changed. Call it for what does not show: `set_config`, temporary tables, advisory locks.
    public func resetWhenReturned() { state.requireReset() }
}
