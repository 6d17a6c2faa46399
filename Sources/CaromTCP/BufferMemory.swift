// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How many bytes wait in this process's buffers: for sockets that do not take them, or for somebody to take them on.
///
/// Whoever keeps bytes counts them, where they are kept; what passes at once costs nothing. Nobody is stopped here: who may refuse
/// something asks whether the limit is met.
package enum BufferMemory {
    private static let used = Atomic<Int>(0)
    private static let bound = Atomic<Int>(.max)

    /// What waits now.
    package static var bytes: Int { used.load(ordering: .relaxed) }

    /// What may wait; nil for any amount.
    package static var limit: Int? {
        let bound = bound.load(ordering: .relaxed)
        return bound == .max ? nil : bound
    }

    /// Another limit holds from now on.
    package static func use(limit: Int?) { bound.store(limit ?? .max, ordering: .relaxed) }

    /// The limit is met: nothing more should be taken in that has to wait.
    package static var isExhausted: Bool { bytes >= bound.load(ordering: .relaxed) }

    /// So many bytes are kept.
    package static func take(_ count: Int) { used.add(count, ordering: .relaxed) }

    /// So many are not kept any more.
    package static func giveBack(_ count: Int) { used.subtract(count, ordering: .relaxed) }
}
