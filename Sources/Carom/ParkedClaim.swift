// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connection that stays by its last holder while nobody else needs it: what ``Claim/park()`` made of a claim.
///
/// It ends once: by ``reclaim()``, by ``release()``, or by going out of scope, which releases it.
@frozen
public struct ParkedClaim<Connection: Sendable>: ~Copyable, Sendable {
    /// Retained once for the parked claim.
    @usableFromInline let held: Unmanaged<PooledConnection<Connection>>
    @usableFromInline let holding: Holding

    @inlinable
    init(adopting held: Unmanaged<PooledConnection<Connection>>, _ holding: Holding) {
        self.held = held
        self.holding = holding
    }

    /// Claims the connection again: one compare-and-swap, no lock, no look at a clock. Nil if the pool has taken it in the
    /// meantime; then the holder claims like everybody else.
    ///
    /// The connector is not asked whether the connection is still usable. The pool takes in what was parked for more than
    /// a moment; a holder that must know whether the peer has hung up looks for itself.
    @inlinable
    public consuming func reclaim() -> Claim<Connection>? {
        let (held, holding) = (held, holding)
        discard self
        if held._withUnsafeGuaranteedRef({ $0.reclaim(holding) }) { return Claim(adopting: held) }
        held.release()
        return nil
    }

    /// Gives the connection back to the pool, if it is still here.
    @inlinable
    public consuming func release() {
        let box = held.takeRetainedValue()
        let holding = holding
        discard self
        box.release(holding)
    }

    /// Names the connection; as ``ClaimRequest/preferredSlot`` it asks for the same one when ``reclaim()`` fails.
    @inlinable public var slot: SlotID { held._withUnsafeGuaranteedRef { $0.slot } }

    /// The connection, to be recognized. It may be another holder's by now: not to be used before ``reclaim()``.
    @inlinable public var connection: Connection { held._withUnsafeGuaranteedRef { $0.connection } }

    @inlinable
    deinit {
        let box = held.takeRetainedValue()
        box.release(holding)
    }
}
