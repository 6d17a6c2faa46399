// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Delivers sets one at a time and never an older one after a newer one, whatever threads they come from. Of sets
/// that come faster than they are taken, the latest counts.
package final class LatestSet: Sendable {
    private struct State {
        var next: BackendSet?
        var delivering = false
    }
    private let state = Mutex(State())
    private let deliver: @Sendable (BackendSet) -> Void

    package init(_ deliver: @escaping @Sendable (BackendSet) -> Void) {
        self.deliver = deliver
    }

    package func offer(_ set: BackendSet) {
        let mine = state.withLock { state in
            state.next = set
            if state.delivering { return false }
            state.delivering = true
            return true
        }
        if !mine { return }
        while let set = take() { deliver(set) }
    }

    private func take() -> BackendSet? {
        state.withLock { state in
            let set = state.next
            state.next = nil
            if set == nil { state.delivering = false }
            return set
        }
    }
}
