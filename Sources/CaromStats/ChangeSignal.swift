// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Tells any number of listeners that something changed. News that nobody took yet counts once.
final class ChangeSignal: Sendable {
    private struct State {
        var listeners: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var next: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Tells everyone.
    func announce() {
        // Resumed outside the lock: a listener may end, and leave, in the middle of it.
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield() }
    }

    /// Listens until `continuation` ends.
    func add(_ continuation: AsyncStream<Void>.Continuation) -> UInt64 {
        state.withLock { state in
            state.next += 1
            state.listeners[state.next] = continuation
            return state.next
        }
    }

    /// Hears no more.
    func remove(_ listener: UInt64) {
        // The continuation goes out of scope after the lock.
        _ = state.withLock { $0.listeners.removeValue(forKey: listener) }
    }
}
