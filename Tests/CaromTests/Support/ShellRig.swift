// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Logging
import Synchronization
import Testing

/// A real pool in virtual time, with a fake connector and a scripted resolver. It ends with its test: what is still held is
/// released, and the pool stopped, so that a leak check finds only what the library leaks.
final class ShellRig {
    let clock: ManualClock
    let connector: FakeConnector
    let resolver: ScriptedResolver
    let pool: Pool<FakeConnector>
    let events = EventLog()
    let running: Task<Void, any Error>
    private var holders: [Holder] = []

    init(
        _ backends: [Backend]? = [Backend(name: "a", address: .unix(path: "/a"))],
        script: FakeConnector.Script = FakeConnector.Script(), logger: Logger? = nil,
        observer: (any PoolObserver)? = nil, clock: ManualClock = ManualClock(),
        _ change: (inout Policy) -> Void = { _ in }
    ) throws {
        self.clock = clock
        var policy = Policy()
        policy.spares = 2
        policy.maxSlots = 4
        change(&policy)
        connector = FakeConnector(clock: clock, script: script)
        resolver = ScriptedResolver(backends)
        let pool = try Pool(
            name: "test", resolver: resolver, connector: connector, policy: policy, logger: logger,
            observers: [observer ?? events], clock: clock, executor: clock, seed: 1)
        self.pool = pool
        running = Task(executorPreference: clock) { try await pool.run() }
        clock.runUntilQuiescent()
    }

    deinit {
        running.cancel()
        for holder in holders {
            holder.release()
            holder.cancel?()
            holder.cancel = nil
        }
        clock.advance(by: .seconds(60))
        connector.releaseHanging()
        clock.runUntilQuiescent()
    }

    /// A connection that is idle.
    func claimIdle(_ request: ClaimRequest = .any) -> Claim<FakeConnection>? {
        switch pool.claim(request, timeout: .zero, receiver: NoReceiver()) {
        case .claimed(let claim): return claim
        case .waiting: return nil
        case .failed: return nil
        }
    }

    /// A task of the test's own, on the pool's clock. Its claim is held until the flag says otherwise.
    func hold(_ request: ClaimRequest = .any, timeout: Duration? = nil) -> Holder {
        let holder = Holder()
        let pool = pool
        let task = Task(executorPreference: clock) {
            do throws(PoolError) {
                let claim = try await pool.claim(request, timeout: timeout)
                holder.set(.holding(claim.connection.number))
                await holder.released()
                claim.recycle()
            } catch {
                holder.set(.failed(error.code))
            }
        }
        holder.cancel = { task.cancel() }
        holders.append(holder)
        clock.runUntilQuiescent()
        return holder
    }

    /// The error of a claim that fails within its timeout; nil if it is served.
    func claimError(_ request: ClaimRequest = .any, timeout: Duration) -> PoolError? {
        let kept = Kept<PoolError>()
        let pool = pool
        _ = Task(executorPreference: clock) {
            do throws(PoolError) {
                try await pool.claim(request, timeout: timeout).recycle()
            } catch {
                kept.value = error
            }
        }
        clock.advance(by: timeout)
        return kept.value
    }

    /// Stops the pool and lets the time pass that it takes.
    func stop(grace: Duration? = nil) -> StopReport? {
        let report = Kept<StopReport>()
        let pool = pool
        _ = Task(executorPreference: clock) { report.value = await pool.stop(grace: grace) }
        clock.advance(by: .seconds(60))
        return report.value
    }
}

/// A claim held by a task.
final class Holder: Sendable {
    enum State: Equatable, Sendable {
        case waiting
        case holding(Int)
        case failed(PoolError.Code)
    }
    private struct Inside {
        var state = State.waiting
        var isReleased = false
        var waiting: UnsafeContinuation<Void, Never>?
        var cancel: (@Sendable () -> Void)?
    }
    private let inside = Mutex(Inside())

    var state: State { inside.withLock { $0.state } }
    var cancel: (@Sendable () -> Void)? {
        get { inside.withLock { $0.cancel } }
        set { inside.withLock { $0.cancel = newValue } }
    }

    func set(_ state: State) { inside.withLock { $0.state = state } }

    func release() {
        let waiting = inside.withLock { inside in
            inside.isReleased = true
            let waiting = inside.waiting
            inside.waiting = nil
            return waiting
        }
        waiting?.resume()
    }

    func released() async {
        await withUnsafeContinuation { continuation in
            let now = inside.withLock { inside in
                if inside.isReleased { return true }
                inside.waiting = continuation
                return false
            }
            if now { continuation.resume() }
        }
    }
}

/// A value set by one task and read by another.
final class Kept<Value: Sendable>: Sendable {
    private let inside = Mutex<Value?>(nil)
    var value: Value? {
        get { inside.withLock { $0 } }
        set { inside.withLock { $0 = newValue } }
    }
}

/// Of a claim that does not wait.
private final class NoReceiver: ClaimReceiver {
    func claimReady(_ ticket: ClaimTicket) { Issue.record("a claim without patience waited") }
}

/// Keeps every event but those of each claim.
final class QuietLog: PoolObserver {
    private let inside = Mutex<[PoolEvent]>([])
    var observesClaims: Bool { false }
    var closings: [PoolEvent.CloseReason] {
        inside.withLock { events in
            events.compactMap { if case .closing(_, _, let reason) = $0 { reason } else { nil } }
        }
    }
    func observe(_ event: PoolEvent) { inside.withLock { $0.append(event) } }
}

/// Keeps every event.
final class EventLog: PoolObserver {
    private let inside = Mutex<[PoolEvent]>([])
    var all: [PoolEvent] { inside.withLock { $0 } }
    func observe(_ event: PoolEvent) { inside.withLock { $0.append(event) } }
}

/// `#require` does not take what cannot be copied.
func need<T: ~Copyable>(_ value: consuming T?) throws -> T {
    guard let value else { throw FakeError("nothing there") }
    return value
}

/// Whether the pool has taken the connection; if not, it goes back.
func isTaken(_ parked: consuming ParkedClaim<FakeConnection>) -> Bool {
    guard let claim = parked.reclaim() else { return true }
    claim.recycle()
    return false
}

/// Whether the connection was given back instead of being parked.
func isRefused(_ claim: consuming Claim<FakeConnection>) -> Bool {
    claim.park() == nil
}
