// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import CaromTCP

/// What the console's tables tell of a client that is at its relay, as its worker sees it.
struct RelayReport: Sendable {
    /// The server that the client holds.
    struct Server: Sendable {
        let connection: PostgresConnection
        let statements: Int
        /// Bytes that it has not taken yet.
        let waitingBytes: Int
    }

    let route: Route
    /// Its place in the queue for a server.
    let waiter: WaiterID?
    let server: Server?
    let applicationName: String?
    /// Bytes that wait in either direction.
    let waitingBytes: (fromClient: Int, toClient: Int)

    /// Both sides have taken what they were sent.
    var isFlushed: Bool { waitingBytes.toClient == 0 && (server?.waitingBytes ?? 0) == 0 }

    init(_ leg: borrowing ServerLeg, _ client: borrowing ClientLeg, _ book: SessionBook) {
        route = leg.route
        waiter = leg.waiter
        server = leg.server.map { server in
            Server(
                connection: server, statements: server.state.statements.count,
                waitingBytes: server.output.count)
        }
        // The server of one client was told by its startup packet.
        let told = route.definition.replication == .none ? nil : leg.server?.state.reported
        applicationName = (told ?? book.wishes)["application_name"]
        waitingBytes = client.waitingBytes
    }
}
