// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization

/// Shows whether all loops still turn: one that computes for ever, or waits for a lock, gives no sign.
final class WorkerPulse: Sendable {
    /// Loops that have been asked for a sign and have not given it.
    private let silent = Atomic<Int>(0)

    /// Asks each loop for a sign of life, which is looked at the next time.
    ///
    /// - Returns: whether all have given the one that they were asked for the last time.
    func take(of reactors: [Reactor]) -> Bool {
        guard silent.load(ordering: .acquiring) == 0 else { return false }
        silent.store(reactors.count, ordering: .releasing)
        for reactor in reactors { reactor.call { self.silent.subtract(1, ordering: .acquiringAndReleasing) } }
        return true
    }
}
