// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Cancels on their way to a client's server: until they have arrived the server must not be let go, or they could hit another client.
struct CancelsUnderWay {
    private var count: UInt32 = 0

    var areUnderWay: Bool { count > 0 }

    /// The server, for a cancel; nil when nothing is under way there.
    mutating func begin(_ server: PostgresConnection?) -> PostgresConnection? {
        guard let server, !server.state.flow.isSynchronized else { return nil }
        count += 1
        return server
    }

    /// The cancel is over. If it may still arrive, the server is never lent again.
    mutating func end(_ server: PostgresConnection, didArrive: Bool) {
        count -= 1
        if didArrive { return }
        server.state.fail(
            PostgresError(.cancelled, "a cancel request may still be under way to the server"))
    }
}
