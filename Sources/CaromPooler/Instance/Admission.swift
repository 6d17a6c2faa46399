// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A number of clients that may not exceed a limit, counted over all workers.
final class Admission: Sendable {
    /// How many there may be; `nil` for no limit.
    let limit: Int?
    private let present = Atomic<Int>(0)

    init(limit: Int?) { self.limit = limit }

    /// How many there are.
    var count: Int { present.load(ordering: .relaxed) }

    /// Lets one more in, unless the limit is reached.
    func enter() -> Bool {
        let count = present.wrappingAdd(1, ordering: .relaxed).newValue
        guard let limit, count > limit else { return true }
        leave()
        return false
    }

    /// One who was let in leaves.
    func leave() { present.wrappingSubtract(1, ordering: .relaxed) }
}
