// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres

/// The server that a client holds, has held or waits for. It is one of these at a time.
struct Attachment: ~Copyable {
    private enum State: ~Copyable {
        /// None. → `waiting` or `attached` by a claim.
        case none
        /// The one of the client's last transaction, which the pool takes when anybody needs it. → `attached` by ``reclaim()``.
        case parked(ParkedClaim<PostgresConnection>)
        /// The client stands in the pool's queue. → `attached` when served.
        case waiting(WaiterID)
        /// The client's own. → `parked` or `none` when its transaction is over.
        case attached(Claim<PostgresConnection>)
    }

    private var state = State.none
    /// The server that is attached.
    private(set) var server: PostgresConnection?
    /// The connection that was used last: the pool is asked for it again.
    private(set) var preferredSlot: SlotID?

    // `default` below: a noncopyable value cannot be matched against several cases at once yet.

    /// The client stands in the pool's queue.
    var isWaiting: Bool {
        switch state {
        case .waiting: true
        default: false
        }
    }

    private var isParked: Bool {
        switch state {
        case .parked: true
        default: false
        }
    }

    /// The server is the client's from now on.
    mutating func attach(_ claim: consuming Claim<PostgresConnection>) {
        server = claim.connection
        preferredSlot = claim.slot
        state = .attached(claim)
    }

    /// Takes the parked server back, unless the pool has taken it. True: it is attached.
    mutating func reclaim() -> Bool {
        guard isParked, case .parked(let parked) = exchange(.none) else { return false }
        guard let claim = parked.reclaim() else { return false }
        server = claim.connection
        state = .attached(claim)
        return true
    }

    /// Keeps the server, which is attached, at hand while nobody else needs it.
    mutating func park() {
        precondition(server != nil, "only a server that is attached can be parked")
        server = nil
        guard case .attached(let claim) = exchange(.none) else { return }
        if let parked = claim.park() { state = .parked(parked) }
    }

    /// The client is in the queue.
    mutating func wait(_ waiter: WaiterID) { state = .waiting(waiter) }

    /// The client is no longer in the queue; the place that it had.
    mutating func endWait() -> WaiterID? {
        guard isWaiting, case .waiting(let waiter) = exchange(.none) else { return nil }
        return waiter
    }

    /// Gives back what is held, in whatever state it is: the pool has it cleaned where that is needed.
    mutating func release() {
        server = nil
        switch exchange(.none) {
        case .attached(let claim): claim.recycle()
        case .parked(let parked): parked.release()
        default: break
        }
    }

    /// Gives the server back to be closed, without blame for its backend.
    mutating func discard(_ reason: String) {
        server = nil
        switch exchange(.none) {
        case .attached(let claim): claim.discard(reason, blame: false)
        case .parked(let parked): parked.release()
        default: break
        }
    }

    private mutating func exchange(_ new: consuming State) -> State {
        swap(&state, &new)
        return new
    }
}
