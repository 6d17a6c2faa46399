// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import DequeModule
import Synchronization

/// Virtual time, and an executor that runs only when told to: with it a pool is deterministic.
///
/// Give it to the pool both as its clock and as its executor, and run the test's own tasks on it too. Nothing
/// happens until ``runUntilQuiescent()`` or ``advance(by:)`` is called, which run everything that can run on the
/// calling thread, and in order of time.
///
/// ```swift
/// let clock = ManualClock()
/// let pool = try Pool(name: "p", resolver: r, connector: c, clock: clock, executor: clock, seed: 1)
/// let running = Task(executorPreference: clock) { try await pool.run() }
/// clock.advance(by: .seconds(60))
/// ```
public final class ManualClock: PoolClock, TaskExecutor {
    private struct State: ~Copyable {
        var now: Int64 = 0
        var jobs: Deque<UnownedJob> = []
        var sleepers: [Sleeper] = []
        var nextSleeper = 0
        var draining = false
    }

    private struct Sleeper {
        let id: Int
        let until: Int64
        let continuation: UnsafeContinuation<Bool, Never>
    }

    private let state = Mutex(State())

    /// A clock at zero with nothing to do.
    public init() {}

    /// The present instant; it moves only by ``advance(by:)``.
    public var now: PoolInstant { PoolInstant(nanoseconds: state.withLock { $0.now }) }

    /// The time since the clock's beginning.
    public var elapsed: Duration { .nanoseconds(now.nanoseconds) }

    /// Waits for virtual time to come.
    public func sleep(until instant: PoolInstant) async throws {
        let id = state.withLock { state in
            state.nextSleeper += 1
            return state.nextSleeper
        }
        let slept = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    if instant.nanoseconds <= state.now { return true }
                    state.sleepers.append(
                        Sleeper(id: id, until: instant.nanoseconds, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(returning: false)
        }
        if !slept { throw CancellationError() }
    }

    /// Takes a job; it runs when the clock is told to run.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
    }

    /// Runs what can run now, until nothing can. Not to be called from within.
    public func runUntilQuiescent() {
        let reentered = state.withLock { state in
            let before = state.draining
            state.draining = true
            return before
        }
        precondition(!reentered, "a manual clock was told to run from within a job it runs")
        while let job = state.withLock({ $0.jobs.popFirst() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
        state.withLock { $0.draining = false }
    }

    /// Moves time forward, waking each sleeper at its instant and running what follows before going on.
    public func advance(by duration: Duration) {
        advance(to: now.advanced(by: duration))
    }

    /// Moves time forward to an instant.
    public func advance(to instant: PoolInstant) {
        runUntilQuiescent()
        while let sleeper = nextSleeper(until: instant.nanoseconds) {
            sleeper.continuation.resume(returning: true)
            runUntilQuiescent()
        }
        state.withLock { $0.now = max($0.now, instant.nanoseconds) }
    }

    /// Takes the earliest sleeper due by then, and sets the time to its instant.
    private func nextSleeper(until end: Int64) -> Sleeper? {
        state.withLock { state in
            var first: Int?
            for index in state.sleepers.indices where state.sleepers[index].until <= end {
                if first == nil || state.sleepers[index].until < state.sleepers[first!].until {
                    first = index
                }
            }
            guard let first else { return nil }
            state.now = max(state.now, state.sleepers[first].until)
            return state.sleepers.remove(at: first)
        }
    }
}
