// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A point on a pool's monotonic clock, in nanoseconds since the clock's own beginning.
public struct PoolInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's beginning.
    public var nanoseconds: Int64

    /// The instant this many nanoseconds after the clock's beginning.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Earlier comes first.
    public static func < (left: PoolInstant, right: PoolInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant this much later, at most the last one there is.
    public func advanced(by duration: Duration) -> PoolInstant {
        PoolInstant(nanoseconds: nanoseconds.after(duration.inNanoseconds))
    }

    /// The time from `start` to this instant.
    public func duration(since start: PoolInstant) -> Duration {
        .nanoseconds(nanoseconds - start.nanoseconds)
    }
}

/// Time as a pool sees it: always forward, and replaceable in tests.
public protocol PoolClock: Sendable {
    /// The present instant. Cheap: a pool asks at every claim and return.
    var now: PoolInstant { get }
    /// Returns at the instant or soon after, or throws when the task is cancelled.
    func sleep(until instant: PoolInstant) async throws
    /// Where a pool's timer sleeps; nil: where the pool's background work runs. A clock whose timers belong to one
    /// thread, such as an event loop's, names that thread's executor and can count on being called there.
    var executor: (any TaskExecutor)? { get }
}

extension PoolClock {
    /// Sleeping is possible anywhere.
    public var executor: (any TaskExecutor)? { nil }
}

/// The system's monotonic clock.
public struct SystemPoolClock: PoolClock {
    /// The clock that does not stand still, jump or go back.
    public init() {}

    /// Reads the monotonic clock without a system call. The C function is called directly because the standard
    /// library's clocks count in 128 bits, which costs a division at every claim.
    public var now: PoolInstant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return PoolInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Sleeps on the concurrency runtime's timer.
    public func sleep(until instant: PoolInstant) async throws {
        let distance = instant.nanoseconds - now.nanoseconds
        if distance > 0 { try await Task.sleep(nanoseconds: UInt64(distance)) }
    }
}
