// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Clients of one worker that have not logged in, by the number of their session, in the order in which they came.
struct LoginLine {
    private var order: [UInt64] = []
    /// Those in front of it have left.
    private var head = 0
    private var present: Set<UInt64> = []

    /// How many there are.
    var count: Int { present.count }

    /// The one that has been here for longest.
    var oldest: UInt64? { head < order.count ? order[head] : nil }

    /// A client comes. No number comes twice.
    mutating func enter(_ owner: UInt64) {
        present.insert(owner)
        order.append(owner)
    }

    /// A client has logged in, or is leaving. A second time nothing happens.
    mutating func leave(_ owner: UInt64) {
        guard present.remove(owner) != nil else { return }
        while head < order.count, !present.contains(order[head]) { head += 1 }
        // Half of it is gone: moving the rest costs no more than its entering did.
        if head * 2 >= order.count {
            order.removeFirst(head)
            head = 0
        }
    }
}
