// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connection on loan.
///
/// It ends exactly once: by ``recycle()``, by ``discard(_:blame:)``, by ``park()``, or, if it is forgotten, by being
/// discarded when it goes out of scope, which an event reports.
@frozen
public struct Claim<Connection: Sendable>: ~Copyable, Sendable {
    /// Retained once for the claim; a plain reference could not be handed on without a retain and a release.
    @usableFromInline let held: Unmanaged<PooledConnection<Connection>>

    @inlinable
    init(_ box: AnyPooledConnection) {
        held = .passRetained(unsafeDowncast(box, to: PooledConnection<Connection>.self))
    }

    @inlinable
    init(adopting held: Unmanaged<PooledConnection<Connection>>) {
        self.held = held
    }

    /// The connection. Not to be used after the claim ended.
    @inlinable public var connection: Connection {
        held._withUnsafeGuaranteedRef { $0.connection }
    }

    /// Names the connection; as ``ClaimRequest/preferredSlot`` it asks for the same one again.
    @inlinable public var slot: SlotID { held._withUnsafeGuaranteedRef { $0.slot } }

    /// The backend it leads to, as it was described when the connection was opened.
    public var backend: Backend { held._withUnsafeGuaranteedRef { $0.backend } }

    /// Gives the connection back. What becomes of it is the connector's to say (``ConnectionInspector/returned(_:)``).
    /// Never waits.
    @inlinable
    public consuming func recycle() {
        let box = held.takeRetainedValue()
        discard self
        box.engine.giveBack(box)
    }

    /// The same, after an error in its use: ``ConnectionInspector/returned(_:after:)`` says what becomes of it.
    @inlinable
    public consuming func recycle(after error: any Error) {
        let box = held.takeRetainedValue()
        discard self
        box.engine.giveBack(box, after: error)
    }

    /// Gives the connection back to be closed.
    ///
    /// - Parameters:
    ///   - reason: for the reader of the code; events say `discarded`.
    ///   - blame: whether the backend is at fault: its score rises and the replacement waits a back-off step.
    @inlinable
    public consuming func discard(_ reason: String? = nil, blame: Bool = true) {
        let box = held.takeRetainedValue()
        discard self
        box.engine.discard(box, blame: blame)
    }

    /// Keeps the connection by its holder, who does not need it now but probably soon again, until anybody else does.
    ///
    /// The cheapest way to return and to claim: no lock and no look at a clock. The holder vouches that the connection is
    /// such that ``ConnectionInspector/returned(_:)`` would call it clean; it is not asked. While it is parked the connection counts
    /// as idle, the pool may lend it to others, check it or close it, and the holder must not touch it.
    ///
    /// Returns nil if the connection was given back instead, as by ``recycle()``: somebody waits, the pool is suspended or
    /// stopping or has other plans with it, leases are timed (``Policy/leakThreshold``, ``Policy/leaseLimit``), the
    /// connector has an acquire hook, ``Policy/validationBypass`` is too short, or an observer sees every claim.
    @inlinable
    public consuming func park() -> ParkedClaim<Connection>? {
        let held = held
        discard self
        if let holding = held._withUnsafeGuaranteedRef({ $0.park() }) {
            return ParkedClaim(adopting: held, holding)
        }
        held.release()
        return nil
    }

    @inlinable
    deinit {
        let box = held.takeRetainedValue()
        box.engine.forgotten(box)
    }
}
