// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

/// Pools that are never run, and how long those last that are.
@Suite struct RunningTests {
    private let clock = ManualClock()

    private func make(_ connector: FakeConnector, observers: [any PoolObserver] = []) throws
        -> Pool<FakeConnector>
    {
        try Pool(
            name: "test", resolver: ScriptedResolver([Backend(name: "a", address: .unix(path: "/a"))]),
            connector: connector, observers: observers, clock: clock, executor: clock, seed: 1)
    }

    private func claim(_ pool: Pool<FakeConnector>, timeout: Duration) -> Kept<PoolError> {
        let kept = Kept<PoolError>()
        _ = Task(executorPreference: clock) {
            do throws(PoolError) {
                try await pool.claim(timeout: timeout).recycle()
            } catch {
                kept.value = error
            }
        }
        clock.runUntilQuiescent()
        return kept
    }

    @Test("behaviour 63: a pool that was claimed from and never run ends with its last claim")
    func neverRun() throws {
        weak var connector: FakeConnector?
        do {
            let mine = FakeConnector(clock: clock)
            connector = mine
            let error = claim(try make(mine), timeout: .milliseconds(20))
            #expect(connector != nil)
            clock.advance(by: .milliseconds(20))
            #expect(error.value?.code == .noBackends)
            #expect(error.value?.message == "noBackends: nobody has called the pool's run()")
        }
        #expect(connector == nil)
    }

    @Test(
        "behaviour 66: that nobody runs the pool is told once, when a claim fails or has waited for a second")
    func notRunningIsTold() throws {
        for timeout in [Duration.zero, .milliseconds(20), .seconds(60)] {
            let (one, other) = (EventLog(), EventLog())
            let pool = try make(FakeConnector(clock: clock), observers: [one, other])
            for _ in 0..<3 { _ = claim(pool, timeout: timeout) }
            clock.advance(by: min(timeout, .seconds(1)))
            for log in [one, other] { #expect(log.all.count { $0 == .notRunning } == 1, "\(timeout)") }
            let running = Task(executorPreference: clock) { try await pool.run() }
            clock.runUntilQuiescent()
            #expect(claim(pool, timeout: .zero).value == nil)
            running.cancel()
            clock.runUntilQuiescent()
        }
    }

    @Test func aClaimJustBeforeRunIsNothingToTell() throws {
        let log = EventLog()
        let pool = try make(FakeConnector(clock: clock), observers: [log])
        let error = claim(pool, timeout: .seconds(60))
        let running = Task(executorPreference: clock) { try await pool.run() }
        clock.advance(by: .seconds(2))
        #expect(error.value == nil && pool.stats.totals.claims == 1)
        #expect(!log.all.contains(.notRunning))
        running.cancel()
        clock.runUntilQuiescent()
    }

    @Test("behaviour 67: a second run is an error in words, and does not touch the first")
    func runTwice() async throws {
        let rig = try ShellRig()
        let pool = rig.pool
        let second = Task {
            // Its end must not be the first one's.
            withUnsafeCurrentTask { $0?.cancel() }
            try await pool.run()
        }
        let error = await #expect(throws: PoolError.self) { try await second.value }
        #expect(error?.code == .hasRun)
        #expect(error?.message == "run() was called a second time; a pool runs once, make another")
        guard case .holding = rig.hold().state else {
            Issue.record("the pool does not serve any more")
            return
        }
    }

    @Test("behaviour 64: an orderly stop reports no call that hangs")
    func nothingHangs() async throws {
        var seen: Set<Int> = []
        var policy = Policy()
        policy.claimTimeout = nil
        for _ in 0..<300 {
            let pool = try Pool(
                name: "test", resolver: StaticResolver([Backend(name: "a", address: .unix(path: "/a"))]),
                connector: FakeConnector(), policy: policy)
            let running = Task { try await pool.run() }
            try await pool.withConnection { _ in }
            seen.insert(await pool.stop().unfinishedOperations)
            try await running.value
        }
        #expect(seen == [0])
    }
}
