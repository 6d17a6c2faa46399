// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Synchronization

/// A connection as the engine sees it: whose it is, not what it is.
@usableFromInline
protocol AnyConnectionBox: AnyObject, Sendable {
    var slot: SlotID { get }
    var backend: Backend { get }
    /// Set while a ticket for it is under way; whoever takes it down owns the connection.
    var ticket: Atomic<Bool> { get }
}

/// One open connection, from connect to close.
@usableFromInline
final class ConnectionBox<Connection: Sendable>: AnyConnectionBox {
    @usableFromInline let slot: SlotID
    @usableFromInline let backend: Backend
    @usableFromInline let connection: Connection
    @usableFromInline let ticket = Atomic<Bool>(false)

    @usableFromInline
    init(slot: SlotID, backend: Backend, connection: Connection) {
        self.slot = slot
        self.backend = backend
        self.connection = connection
    }
}
