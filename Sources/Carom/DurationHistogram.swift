// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How many durations there were of each length: up to 64 µs, up to 128 µs and so on, each bound twice the one before, up to 67 s, and
/// longer ones.
///
/// Histograms of the same kind can be added, over pools or processes; quantiles of several pools come from their sum.
public struct DurationHistogram: Sendable, Hashable {
    /// The upper bounds, themselves included, shortest first. What is longer than the last is counted behind it.
    public static let bounds: [Duration] = (0..<limited).map { .microseconds(1 << (6 + $0)) }

    /// How many lengths have a bound.
    private static var limited: Int { 21 }

    /// How many lengths are told apart: one for each of ``bounds``, and one for what is longer.
    public static var lengths: Int { limited + 1 }

    /// How many durations had each length; not those below it.
    public private(set) var counts: [UInt64]
    /// All durations together, in nanoseconds.
    public private(set) var nanoseconds: UInt64

    /// No durations.
    public init() {
        counts = [UInt64](repeating: 0, count: Self.lengths)
        nanoseconds = 0
    }

    /// - Parameters:
    ///   - counts: as many as there are ``lengths``.
    ///   - nanoseconds: all durations together.
    package init(counts: [UInt64], nanoseconds: UInt64) {
        precondition(counts.count == Self.lengths, "a count for each length")
        self.counts = counts
        self.nanoseconds = nanoseconds
    }

    /// Which of the lengths it is, of so many nanoseconds.
    @inline(__always)
    package static func length(of nanoseconds: UInt64) -> Int {
        // A duration that is exactly a bound is below it.
        let microseconds = (max(nanoseconds, 1) &- 1) / 1_000
        return max(6, min(6 + limited, UInt64.bitWidth - microseconds.leadingZeroBitCount)) &- 6
    }

    /// Adds one.
    package mutating func add(nanoseconds: UInt64) {
        counts[Self.length(of: nanoseconds)] += 1
        self.nanoseconds &+= nanoseconds
    }

    /// How many durations there were.
    public var count: UInt64 { counts.reduce(0, &+) }

    /// What so large a part of the durations did not exceed, within its length by proportion: right to a factor of two.
    ///
    /// - Parameter part: from 0 to 1; 0.5 is the median.
    /// - Returns: nil if there were no durations. Of those beyond the last bound, that bound.
    public func quantile(_ part: Double) -> Duration? {
        let all = count
        if all == 0 { return nil }
        let rank = min(max(part, 0), 1) * Double(all)
        var below = 0.0
        for (index, bound) in Self.bounds.enumerated() {
            let here = Double(counts[index])
            if here > 0, below + here >= rank {
                let from = index == 0 ? Duration.zero : Self.bounds[index - 1]
                return from + (bound - from) * ((rank - below) / here)
            }
            below += here
        }
        return Self.bounds.last
    }

    /// The durations of both.
    public static func + (left: DurationHistogram, right: DurationHistogram) -> DurationHistogram {
        DurationHistogram(
            counts: zip(left.counts, right.counts).map { $0 &+ $1 },
            nanoseconds: left.nanoseconds &+ right.nanoseconds)
    }
}
