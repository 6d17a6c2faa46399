// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Synchronization

/// An open connection as the engine sees it, from connect to close: whose it is, not what it is.
///
/// Unchecked: a class with a subclass cannot be checked. What may change is atomic, or guarded by the engine's lock.
@usableFromInline
class AnyPooledConnection: @unchecked Sendable {
    /// Kept until the connection is closed, so that whoever holds the connection can give it back.
    @usableFromInline final let engine: PoolEngine
    @usableFromInline final let slot: SlotID
    @usableFromInline final let backend: Backend
    /// Whose it is at this moment: a ``Holding``.
    @usableFromInline final let holding = Atomic<UInt64>(0)
    /// The worker it sat on when its holder first parked it.
    @usableFromInline final let parkedAffinity = Atomic<Int>(.noAffinity)
    /// Set while a ticket for it is under way; whoever takes it down owns the connection.
    final let ticket = Atomic<Bool>(false)

    /// The version of its attributes that the core knows. Written under the engine's lock.
    final let attributesVersion = Atomic<Int>(0)

    // Guarded by the engine's lock.

    /// The claims of `holding` that the core has been told of.
    final var countedClaims: UInt64 = 0
    /// What `holding` was when a sweep first found it parked, and a time at which it was not parked yet.
    final var swept = Holding(bits: 0)
    final var sweptSince: Int64 = 0

    @usableFromInline
    init(engine: PoolEngine, slot: SlotID, backend: Backend) {
        self.engine = engine
        self.slot = slot
        self.backend = backend
    }
}

/// One open connection.
@usableFromInline
final class PooledConnection<Connection: Sendable>: AnyPooledConnection, @unchecked Sendable {
    // Unchecked like its superclass, which says why; what is added is immutable.
    @usableFromInline let connection: Connection

    @usableFromInline
    init(engine: PoolEngine, slot: SlotID, backend: Backend, connection: Connection) {
        self.connection = connection
        super.init(engine: engine, slot: slot, backend: backend)
    }
}

/// Whose a lent connection is, in one word, so that holder and pool can agree by compare-and-swap.
///
/// Each claim and each reclaim has a number of its own: a holder whose connection was taken and parked again by
/// another cannot mistake it for its own.
@usableFromInline
struct Holding: Equatable, Sendable {
    /// The holder does not use it: the pool may take it, the holder may reclaim it.
    @usableFromInline static var parkedBit: UInt64 { 1 }
    /// The pool wants to see it: the next park gives it back.
    @usableFromInline static var recalledBit: UInt64 { 2 }
    /// `parkedAffinity` is set for this claim.
    @usableFromInline static var placedBit: UInt64 { 4 }
    /// Added to the word with each claim and reclaim.
    @usableFromInline static var oneClaim: UInt64 { 8 }

    @usableFromInline let bits: UInt64

    @inlinable
    init(bits: UInt64) {
        self.bits = bits
    }

    var isParked: Bool { bits & Self.parkedBit != 0 }
    var claims: UInt64 { bits / Self.oneClaim }
    /// The pool's, not parked any more.
    var taken: Holding { Holding(bits: bits & ~Self.parkedBit) }
    /// The holder's, who shall give it back when it would park it.
    var recalled: Holding { Holding(bits: bits | Self.recalledBit) }
    /// A new holder's.
    var lent: Holding { Holding(bits: (claims + 1) &* Self.oneClaim) }
}

extension AnyPooledConnection {
    /// Whoever redeems or abandons the ticket for it owns the connection.
    final func takeTicket() {
        guard ticket.exchange(false, ordering: .relaxed) else {
            preconditionFailure("a claim ticket was used twice")
        }
    }
}

// MARK: The holder's side: no lock, no clock

extension AnyPooledConnection {
    /// Parks a connection that its holder has left clean. The word to reclaim it by; nil: it is no longer the
    /// holder's, for it was given back.
    @inlinable
    final func park() -> Holding? {
        let held = holding.load(ordering: .relaxed)
        if held & Holding.placedBit == 0 {
            parkedAffinity.store(engine.affinity(of: self), ordering: .relaxed)
        }
        let parked = held | Holding.parkedBit | Holding.placedBit
        // First the connection is there to be taken, then somebody who wants it is looked for. The pool does it the
        // other way round (see `Parking`), so one of the two sees the other.
        if held & Holding.recalledBit == 0, engine.parking.isOpen.load(ordering: .relaxed),
            holding.compareExchange(expected: held, desired: parked, ordering: .sequentiallyConsistent)
                .exchanged
        {
            if engine.parking.isInUse.load(ordering: .sequentiallyConsistent),
                engine.parking.isOpen.load(ordering: .sequentiallyConsistent)
            {
                return Holding(bits: parked)
            }
            return finishParking(Holding(bits: parked))
        }
        engine.giveBack(self)
        return nil
    }

    /// The first to be parked for a while, or somebody wants it.
    @usableFromInline
    final func finishParking(_ parked: Holding) -> Holding? {
        engine.beginSweeping()
        if engine.parking.isOpen.load(ordering: .sequentiallyConsistent) { return parked }
        release(parked)
        return nil
    }

    /// Takes a parked connection back to its holder. False: the pool was faster.
    @inlinable
    final func reclaim(_ parked: Holding) -> Bool {
        let held = (parked.bits & ~Holding.parkedBit) &+ Holding.oneClaim
        return holding.compareExchange(
            expected: parked.bits, desired: held, ordering: .sequentiallyConsistent
        ).exchanged
    }

    /// Gives a parked connection back, if the pool has not taken it.
    @usableFromInline
    final func release(_ parked: Holding) {
        if take(parked) { engine.giveBack(self) }
    }

    /// Ends the parking without a claim. False: somebody else did.
    final func take(_ parked: Holding) -> Bool {
        holding.compareExchange(
            expected: parked.bits, desired: parked.taken.bits, ordering: .sequentiallyConsistent
        ).exchanged
    }
}
