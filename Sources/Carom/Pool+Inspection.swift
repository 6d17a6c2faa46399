// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What is done with a connection.
package enum ConnectionState: Sendable {
    /// A connect is in flight.
    case connecting
    /// Ready to be lent; or lent, and at rest with its last holder.
    case idle
    /// Lent.
    case claimed
    /// Being checked, made clean or prepared for a claim.
    case tended
}

/// One connection of a pool at one moment, for tables about it.
package struct ConnectionReport<Connection: Sendable>: Sendable {
    package let backend: Backend
    package let state: ConnectionState
    /// Nil while it is being made.
    package let connection: Connection?
    /// It is closed as soon as nobody needs it: it is too old, or its backend is gone.
    package let isLeaving: Bool
}

/// One claim that waits.
package struct WaiterReport: Sendable {
    package let id: WaiterID
    package let waited: Duration
    /// What the connection must be like.
    package let requirement: [String: String]
    /// A connection is being prepared for it.
    package let isBeingServed: Bool
}

extension Pool {
    /// Every connection that is there or under way, and none that is being closed. O(connections), under the pool's lock.
    package var connections: [ConnectionReport<C.Connection>] {
        let now = engine.now
        return engine.state.withLock { state in
            state.core.slots.indices.compactMap { slot in
                guard let found = state.core.report(slot, now: now) else { return nil }
                let box = state.box(found.id)
                let isParked = found.state == .claimed && box?.isParked == true
                return ConnectionReport(
                    backend: found.backend, state: isParked ? .idle : found.state,
                    connection: (box as? PooledConnection<C.Connection>)?.connection,
                    isLeaving: found.isLeaving)
            }
        }
    }

    /// Whether a connection is to a backend that the resolver no longer names.
    package func isDraining(_ slot: SlotID) -> Bool { engine.state.withLock { $0.core.isDraining(slot) } }

    /// Every claim that waits. O(claims), under the pool's lock.
    package var waiters: [WaiterReport] {
        let now = engine.now
        return engine.state.withLock { state in state.core.waiterReports(now: now) }
    }
}

extension PoolCore {
    /// What is to be told of a slot; nil for one that is free or being closed.
    fileprivate func report(_ slot: Int, now: Int64) -> (
        id: SlotID, backend: Backend, state: ConnectionState, isLeaving: Bool
    )? {
        let state: ConnectionState
        switch slots[slot].state {
        case .free, .closing: return nil
        case .connecting: state = .connecting
        case .idle: state = .idle
        case .claimed: state = .claimed
        case .acquiring, .recycling, .checking: state = .tended
        }
        let id = id(slot)
        return (
            id, backends[Int(slots[slot].backend)].backend, state,
            !backends[Int(slots[slot].backend)].present || now >= slots[slot].retireAt
        )
    }

    fileprivate func waiterReports(now: Int64) -> [WaiterReport] {
        queue.records.indices.compactMap { index in
            let record = queue.records[index]
            if record.state == .free { return nil }
            return WaiterReport(
                id: queue.id(index), waited: .nanoseconds(max(0, now - record.since)),
                requirement: queue.requirements[Int(record.requirementQueue)].requirement,
                isBeingServed: record.state == .acquiring)
        }
    }
}
