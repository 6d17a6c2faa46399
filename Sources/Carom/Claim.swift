// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connection on loan.
///
/// It ends exactly once: by ``recycle()``, by ``discard(_:blame:)``, or, if it is forgotten, by being discarded when
/// it goes out of scope, which an event reports.
public struct Claim<Connection: Sendable>: ~Copyable, Sendable {
    @usableFromInline let lease: Lease

    @usableFromInline
    init(_ lease: consuming Lease) {
        self.lease = lease
    }

    /// The connection. Not to be used after the claim ended.
    @inlinable public var connection: Connection {
        unsafeDowncast(lease.box, to: ConnectionBox<Connection>.self).connection
    }

    /// Names the connection; as ``ClaimRequest/preferredSlot`` it asks for the same one again.
    @inlinable public var slot: SlotID { lease.slot }

    /// The backend it leads to, as it was described when the connection was opened.
    public var backend: Backend { lease.box.backend }

    /// Gives the connection back. What becomes of it is the connector's to say (``Connector/returned(_:)``).
    /// Never waits.
    @inlinable
    public consuming func recycle() {
        lease.recycle()
    }

    /// Gives the connection back to be closed.
    ///
    /// - Parameters:
    ///   - reason: for the reader of the code; events say `discarded`.
    ///   - blame: whether the backend is at fault: its score rises and the replacement waits a back-off step.
    @inlinable
    public consuming func discard(_ reason: String? = nil, blame: Bool = true) {
        lease.discard(blame: blame)
    }
}
