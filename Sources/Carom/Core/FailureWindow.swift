// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Counts failures over a sliding window of ten steps.
struct FailureWindow: Sendable {
    private let step: Int64
    private var newest: Int64 = 0
    private var buckets: [Int] = []
    private(set) var sum = 0

    /// A window over this many nanoseconds.
    init(length: Int64) {
        step = max(1, length / 10)
    }

    mutating func add(_ now: Int64) {
        if buckets.isEmpty { buckets = Array(repeating: 0, count: 10) }
        _ = score(now)
        buckets[place(newest)] += 1
        sum += 1
    }

    /// How many there were within the window.
    mutating func score(_ now: Int64) -> Int {
        if buckets.isEmpty { return 0 }
        let current = now / step
        if current <= newest { return sum }
        for passed in 0..<min(10, current - newest) {
            let index = place(current - passed)
            sum -= buckets[index]
            buckets[index] = 0
        }
        newest = current
        return sum
    }

    private func place(_ bucket: Int64) -> Int { Int(((bucket % 10) + 10) % 10) }
}
