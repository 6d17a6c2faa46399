// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A connection as the engine sees it: whose it is, not what it is.
protocol AnyConnectionBox: AnyObject, Sendable {
    var slot: SlotID { get }
    var backend: Backend { get }
    /// Set while a ticket for it is under way; whoever takes it down owns the connection.
    var ticket: Atomic<Bool> { get }
}

/// One open connection, from connect to close.
final class ConnectionBox<Connection: Sendable>: AnyConnectionBox {
    let slot: SlotID
    let backend: Backend
    let connection: Connection
    let ticket = Atomic<Bool>(false)

    init(slot: SlotID, backend: Backend, connection: Connection) {
        self.slot = slot
        self.backend = backend
        self.connection = connection
    }
}
