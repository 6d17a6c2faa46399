// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Synchronization
import Testing

/// What happens to a connection before it is lent: the hook, and the last look.
@Suite struct AcquireTests {
    /// A connector with a hook.
    private struct Preparing: Connector {
        let fake: FakeConnector
        let prepared = Kept<Int>()

        func connect(to backend: Backend, context: ConnectContext) async throws -> FakeConnection {
            try await fake.connect(to: backend, context: context)
        }
        func isValid(_ connection: FakeConnection) async throws {}
        func onAcquire(_ connection: FakeConnection) async throws {
            prepared.value = (prepared.value ?? 0) + 1
        }
        func returned(_ connection: FakeConnection) -> ReturnVerdict { .clean }
        func isUsable(_ connection: FakeConnection, idleFor: Duration) -> Bool {
            fake.isUsable(connection, idleFor: idleFor)
        }
        func close(_ connection: FakeConnection) async { await fake.close(connection) }
    }

    /// Hands its calls on, as a connector does that measures or logs.
    private struct Wrapping<Inner: Connector>: Connector {
        let inner: Inner
        func connect(to backend: Backend, context: ConnectContext) async throws -> Inner.Connection {
            try await inner.connect(to: backend, context: context)
        }
        func isValid(_ connection: Inner.Connection) async throws { try await inner.isValid(connection) }
        func onAcquire(_ connection: Inner.Connection) async throws -> Inner.Preparation {
            try await inner.onAcquire(connection)
        }
        func returned(_ connection: Inner.Connection) -> ReturnVerdict { inner.returned(connection) }
        func close(_ connection: Inner.Connection) async { await inner.close(connection) }
    }

    private let clock = ManualClock()

    private func pool<C: Connector>(_ connector: C) throws -> (Pool<C>, Task<Void, any Error>) {
        var policy = Policy()
        policy.spares = 1
        policy.maxSlots = 1
        let backend = Backend(name: "a", address: .unix(path: "/a"))
        let pool = try Pool(
            name: "test", resolver: ScriptedResolver([backend]), connector: connector, policy: policy,
            clock: clock, executor: clock, seed: 1)
        let running = Task(executorPreference: clock) { try await pool.run() }
        clock.runUntilQuiescent()
        return (pool, running)
    }

    private func claimThrice<C: Connector>(_ pool: Pool<C>) -> Int {
        let served = Kept<Int>()
        _ = Task(executorPreference: clock) {
            for number in 1...3 {
                try await pool.claim(timeout: .seconds(1)).recycle()
                served.value = number
            }
        }
        clock.runUntilQuiescent()
        return served.value ?? 0
    }

    @Test func aConnectorWithTheMethodHasItCalledBeforeEachLoan() throws {
        let connector = Preparing(fake: FakeConnector(clock: clock))
        let (pool, running) = try pool(connector)
        #expect(claimThrice(pool) == 3)
        #expect(connector.prepared.value == 3)
        running.cancel()
        clock.runUntilQuiescent()
    }

    @Test func aConnectorThatWrapsAnotherHasItsHook() throws {
        let connector = Preparing(fake: FakeConnector(clock: clock))
        let (pool, running) = try pool(Wrapping(inner: connector))
        #expect(claimThrice(pool) == 3)
        #expect(connector.prepared.value == 3)
        running.cancel()
        clock.runUntilQuiescent()
    }

    @Test func aConnectorThatWrapsOneWithoutHasNone() throws {
        let (pool, running) = try pool(Wrapping(inner: FakeConnector(clock: clock)))
        guard case .some = pool.claimIdle(.any) else {
            Issue.record("a claim suspends for a hook that is not there")
            return
        }
        running.cancel()
        clock.runUntilQuiescent()
    }

    @Test func theHookDoesNotMeetAConnectionThatIsGone() throws {
        let connector = Preparing(fake: FakeConnector(clock: clock))
        let (pool, running) = try pool(connector)
        connector.fake.connections[0].isUsable = false
        #expect(claimThrice(pool) == 3)
        #expect(connector.fake.opened == 2 && connector.prepared.value == 3)
        running.cancel()
        clock.runUntilQuiescent()
    }

    @Test("behaviour 61: resume lends no idle connection that the connector has not looked at")
    func resumeLooks() throws {
        let rig = try ShellRig()
        rig.pool.suspend()
        let waiters = [rig.hold(), rig.hold()]
        #expect(rig.pool.stats.idle == 4)
        for connection in rig.connector.connections { connection.isUsable = false }
        rig.pool.resume()
        rig.clock.advance(by: .milliseconds(100))
        #expect(waiters.map(\.state) == [.holding(5), .holding(6)])
        #expect(rig.pool.stats.backends[0].score == 0, "nobody is blamed")
    }

    @Test func manyThatAreGoneDoNotUseUpTheTriesOfAClaim() throws {
        let rig = try ShellRig {
            $0.spares = 10
            $0.maxSlots = 12
            $0.acquireRetries = 0
        }
        rig.pool.suspend()
        let waiter = rig.hold()
        for connection in rig.connector.connections { connection.isUsable = false }
        rig.pool.resume()
        rig.clock.advance(by: .seconds(1))
        guard case .holding = waiter.state else {
            Issue.record("\(waiter.state)")
            return
        }
    }

    // MARK: Time

    /// A clock that a thread read a moment ago.
    private final class LaggingClock: PoolClock {
        let clock: ManualClock
        let lag = Atomic<Int64>(0)

        init(_ clock: ManualClock) { self.clock = clock }

        var now: PoolInstant {
            PoolInstant(nanoseconds: clock.now.nanoseconds - lag.load(ordering: .relaxed))
        }
        func sleep(until instant: PoolInstant) async throws { try await clock.sleep(until: instant) }
    }

    private struct Watching: Connector {
        let rests = Kept<[Duration]>()
        func connect(to backend: Backend, context: ConnectContext) async throws -> Int { 1 }
        func isValid(_ connection: Int) async throws {}
        func returned(_ connection: Int) -> ReturnVerdict { .clean }
        func isUsable(_ connection: Int, idleFor: Duration) -> Bool {
            rests.value = (rests.value ?? []) + [idleFor]
            return true
        }
        func close(_ connection: Int) async {}
    }

    @Test("behaviour 62: no time is negative, whichever thread read its clock first")
    func noNegativeTimes() throws {
        let lagging = LaggingClock(clock)
        let connector = Watching()
        let log = EventLog()
        var policy = Policy()
        policy.validationBypass = nil
        let pool = try Pool(
            name: "test", resolver: ScriptedResolver([Backend(name: "a", address: .unix(path: "/a"))]),
            connector: connector, policy: policy, observers: [log], clock: lagging, executor: clock, seed: 1)
        let running = Task(executorPreference: clock) { try await pool.run() }
        clock.advance(by: .seconds(1))
        for _ in 0..<3 {
            lagging.lag.store(0, ordering: .relaxed)
            let first = try need(pool.claimIdle(.any))
            lagging.lag.store(1_000, ordering: .relaxed)
            first.recycle()
            lagging.lag.store(0, ordering: .relaxed)
            try need(pool.claimIdle(.any)).recycle()
            lagging.lag.store(1_000, ordering: .relaxed)
            try need(pool.claimIdle(.any)).recycle()
        }
        #expect(connector.rests.value?.count == 9)
        #expect(connector.rests.value?.allSatisfy { $0 >= .zero } == true)
        #expect(
            log.all.allSatisfy {
                switch $0 {
                case .claimed(_, _, let time), .returned(_, let time), .claimFailed(_, _, let time):
                    time >= .zero
                default: true
                }
            })
        running.cancel()
        clock.runUntilQuiescent()
    }
}
