// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A number of clients, counted over all workers, that may not exceed a limit.
final class Admission: Sendable {
    private let present = Atomic<Int>(0)

    /// How many there are.
    var count: Int { present.load(ordering: .relaxed) }

    /// Admits one more client, unless there are `limit` of them; `nil` is no limit.
    func enter(limit: Int?) -> Bool {
        var count = present.load(ordering: .relaxed)
        while true {
            if let limit, count >= limit { return false }
            let (isDone, found) = present.weakCompareExchange(
                expected: count, desired: count + 1, ordering: .relaxed)
            if isDone { return true }
            count = found
        }
    }

    /// A client that was admitted leaves.
    func leave() { present.wrappingSubtract(1, ordering: .relaxed) }
}

/// How many clients were turned away at the door.
final class RefusalCount: Sendable {
    private let total = Atomic<Int>(0)

    /// Since the start.
    var count: Int { total.load(ordering: .relaxed) }

    /// One more.
    func add() { total.add(1, ordering: .relaxed) }
}
