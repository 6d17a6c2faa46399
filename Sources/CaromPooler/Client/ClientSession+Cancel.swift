// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor

extension ClientSession {
    /// The server that a cancel for this session is meant for; `nil` when the session has nothing under way.
    ///
    /// Until ``endCancel()`` the session does not let it go, so that the cancel can hit no other client (the race that
    /// PgBouncer had before 1.18).
    func beginCancel() -> (PostgresConnection, PostgresConnector)? {
        guard let server, let route, !server.state.value.flow.isSynchronised else { return nil }
        cancelsUnderWay += 1
        return (server, route.connector)
    }

    /// The request has arrived at the server, or could not be sent.
    func endCancel() {
        cancelsUnderWay -= 1
        detachIfFree()
        waker.wake()
    }
}
