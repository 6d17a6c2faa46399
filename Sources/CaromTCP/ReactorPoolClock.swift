// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
public import CaromReactor

/// Time for a pool whose timer lives on a reactor.
///
/// A pool with it needs no timer of the concurrency runtime's. That one creates a descriptor with the first sleep of the
/// process, and ends the process if there is none left at that moment.
public struct ReactorPoolClock: PoolClock {
    private let reactor: Reactor

    /// A clock that sleeps on this reactor, which must run as long as the pool does.
    public init(_ reactor: Reactor) {
        self.reactor = reactor
    }

    /// The system's monotonic clock.
    public var now: PoolInstant { SystemPoolClock().now }

    /// The reactor: its timers belong to its thread.
    public var executor: (any TaskExecutor)? { reactor }

    /// Sleeps on a timer of the reactor's. To be called on its thread.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before the instant.
    public func sleep(until instant: PoolInstant) async throws {
        let deadline = Deadline(nanoseconds: UInt64(clamping: instant.nanoseconds))
        let waker = Waker()
        while true {
            switch await reactor.wait(for: waker, until: deadline) {
            case .signaled: continue
            case .timedOut: return
            case .cancelled: throw CancellationError()
            }
        }
    }
}
