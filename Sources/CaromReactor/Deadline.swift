// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A point in time on the monotonic clock (`CLOCK_MONOTONIC`), which neither jumps nor stops at a change of the date.
public struct Deadline: Comparable, Hashable, Sendable, CustomStringConvertible {
    /// Nanoseconds since the clock's start; `UInt64.max` for ``never``.
    public let nanoseconds: UInt64

    /// A point at so many nanoseconds of the clock.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Later than every other point.
    public static let never = Deadline(nanoseconds: .max)

    /// The present time, read from the clock.
    public static var now: Deadline {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Deadline(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    /// The point so much time from now; ``never`` for nil.
    public static func after(_ timeout: Duration?) -> Deadline {
        guard let timeout else { return .never }
        return .now + timeout
    }

    /// The point so much later, or earlier for a negative duration. What lies before the clock's start becomes its start, and
    /// what the clock cannot count becomes ``never``; `never` plus anything is `never`.
    public static func + (deadline: Deadline, duration: Duration) -> Deadline {
        if deadline == .never { return .never }
        let distance = duration.nanoseconds
        let isNegative = distance < 0
        let (sum, overflow) =
            isNegative
            ? deadline.nanoseconds.subtractingReportingOverflow(distance.magnitude)
            : deadline.nanoseconds.addingReportingOverflow(distance.magnitude)
        if overflow || distance == .max { return isNegative ? Deadline(nanoseconds: 0) : .never }
        return Deadline(nanoseconds: sum)
    }

    /// The time from here to `other`, negative when that is earlier.
    public func duration(to other: Deadline) -> Duration {
        other.nanoseconds >= nanoseconds
            ? .nanoseconds(Int64(clamping: other.nanoseconds - nanoseconds))
            : .nanoseconds(0 - Int64(clamping: nanoseconds - other.nanoseconds))
    }

    /// Whether the first is the earlier one.
    public static func < (first: Deadline, second: Deadline) -> Bool {
        first.nanoseconds < second.nanoseconds
    }

    /// Seconds of the clock, or `never`.
    public var description: String { self == .never ? "never" : "\(Double(nanoseconds) / 1e9) s" }
}

extension Duration {
    /// Whole nanoseconds, clamped to what 64 bits hold in either direction.
    package var nanoseconds: Int64 {
        // A division of 128 bits is dear. A billion is 512 times an odd number, and without the 512 an hour fits into 64 bits.
        let shifted = attoseconds >> 9
        if let short = UInt64(exactly: shifted) { return Int64(short / 1_953_125) }
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, late) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        if late { return seconds < 0 ? .min : .max }
        return sum
    }
}
