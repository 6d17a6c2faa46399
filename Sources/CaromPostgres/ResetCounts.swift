// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How often a connector has reset connections that came back. Any thread counts, any may read.
package final class ResetCounts: Sendable {
    private let softResets = Atomic<Int>(0)
    private let fullResets = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)

    init() {}

    /// Resets that left prepared statements alone.
    package var soft: Int { softResets.load(ordering: .relaxed) }
    /// Resets by `DISCARD ALL`.
    package var full: Int { fullResets.load(ordering: .relaxed) }
    /// Of these, the ones that failed.
    package var failed: Int { failures.load(ordering: .relaxed) }

    /// A reset begins.
    func begin(isFull: Bool) {
        if isFull { fullResets.add(1, ordering: .relaxed) } else { softResets.add(1, ordering: .relaxed) }
    }

    /// It failed.
    func fail() { failures.add(1, ordering: .relaxed) }
}
