// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@testable import CaromStats

@Suite struct RecorderTests {
    let clock = ManualClock()
    let connector: FakeConnector
    let recorder: PoolRecorder

    init() {
        connector = FakeConnector(clock: clock)
        recorder = PoolRecorder(clock: clock)
    }

    func pool(_ resolver: ScriptedResolver) throws -> Pool<FakeConnector> {
        var policy = Policy()
        policy.maxSlots = 1
        policy.spares = 0
        policy.shrink = .never
        policy.healthInterval = nil
        return try Pool(
            name: "test", resolver: resolver, connector: connector, policy: policy, observers: [recorder],
            clock: clock, executor: clock, seed: 1)
    }

    static func backend(_ number: Int) -> Backend {
        Backend(name: "db\(number)", address: .ip("10.0.0.\(number)", port: 5432))
    }

    @Test func waitsAndHoldsAreCountedForPoolAndBackend() async throws {
        let backend = Self.backend(1)
        let pool = try pool(ScriptedResolver([backend]))
        let running = Task(executorPreference: clock) { try await pool.run() }
        clock.runUntilQuiescent()
        let first = Task(executorPreference: clock) { [clock] in
            try await pool.withConnection { _ in
                try await clock.sleep(until: PoolInstant(nanoseconds: 200_000_000))
            }
        }
        clock.runUntilQuiescent()
        let second = Task(executorPreference: clock) { try await pool.withConnection { _ in } }
        clock.runUntilQuiescent()
        clock.advance(by: .milliseconds(200))
        try await first.value
        try await second.value
        for spread in [recorder.pool, try #require(recorder.backends[backend.id])] {
            #expect(spread.wait.count == 2)
            #expect(abs(spread.wait.max - 0.2) < 0.002)
            #expect(spread.hold.count == 2)
            #expect(abs(spread.hold.max - 0.2) < 0.002)
        }
        running.cancel()
        clock.runUntilQuiescent()
        try await running.value
    }

    @Test func aBackendThatLeftIsForgotten() async throws {
        let resolver = ScriptedResolver([Self.backend(1), Self.backend(2)])
        let pool = try pool(resolver)
        let running = Task(executorPreference: clock) { try await pool.run() }
        clock.runUntilQuiescent()
        #expect(Set(recorder.backends.keys.map(\.name)) == ["db1", "db2"])
        resolver.publish([Self.backend(2), Self.backend(3)])
        clock.runUntilQuiescent()
        #expect(Set(recorder.backends.keys.map(\.name)) == ["db2", "db3"])
        running.cancel()
        clock.runUntilQuiescent()
        try await running.value
    }

    @Test func newsThatNobodyTookCountOnce() async {
        let changes = ChangeSignal()
        let (news, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let listener = changes.add(continuation)
        for _ in 0..<5 { changes.announce() }
        changes.remove(listener)
        changes.announce()
        continuation.finish()
        var heard = 0
        for await _ in news { heard += 1 }
        #expect(heard == 1)
    }
}
