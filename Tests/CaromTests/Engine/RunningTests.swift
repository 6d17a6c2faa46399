// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

/// Pools that are never run, and how long those last that are.
@Suite struct RunningTests {
    private let clock = ManualClock()

    private func make(_ connector: FakeConnector) throws -> Pool<FakeConnector> {
        try Pool(
            name: "test", resolver: ScriptedResolver([Backend(name: "a", address: .unix(path: "/a"))]),
            connector: connector, clock: clock, executor: clock, seed: 1)
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
        }
        #expect(connector == nil)
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
            let running = Task { await pool.run() }
            try await pool.withConnection { _ in }
            seen.insert(await pool.stop().unfinishedOperations)
            await running.value
        }
        #expect(seen == [0])
    }
}
