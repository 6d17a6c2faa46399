// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Synchronization
import Testing

@testable import Carom

/// Holders that park and reclaim on several threads, beside claimers that wait: run it under ThreadSanitizer.
@Suite struct ParkingStressTests {
    /// Whose a connection is, by its number: a second holder at the same time is seen.
    private final class Owners: Sendable {
        private let held = Mutex<Set<Int>>([])
        let conflicts = Atomic<Int>(0)
        func enter(_ connection: FakeConnection) {
            let isNew = held.withLock { $0.insert(connection.number).inserted }
            if !isNew { conflicts.add(1, ordering: .relaxed) }
        }
        func leave(_ connection: FakeConnection) { held.withLock { _ = $0.remove(connection.number) } }
    }

    private func park(_ pool: Pool<FakeConnector>, _ owners: Owners, rounds: Int) async throws(PoolError) {
        var parked: ParkedClaim<FakeConnection>?
        for round in 0..<rounds {
            var mine: Claim<FakeConnection>?
            if let kept = parked.take() { mine = kept.reclaim() }
            if mine == nil { mine = try await pool.claim() }
            guard let claim = mine.take() else { continue }
            owners.enter(claim.connection)
            owners.leave(claim.connection)
            parked = claim.park()
            if round % 16 == 0 { await Task.yield() }
        }
    }

    private func borrow(_ pool: Pool<FakeConnector>, _ owners: Owners, rounds: Int) async throws(PoolError) {
        for _ in 0..<rounds {
            let claim = try await pool.claim()
            owners.enter(claim.connection)
            await Task.yield()
            owners.leave(claim.connection)
            claim.recycle()
        }
    }

    @Test(arguments: [1, 3, 8])
    func nobodyWaitsBesideAParkedConnectionAndNoneIsLentTwice(size: Int) async throws {
        var policy = Policy()
        policy.maxSlots = size
        policy.spares = 0
        // Beside tests that take every core no time is enough.
        policy.claimTimeout = nil
        let connector = FakeConnector()
        let backends = [
            Backend(name: "a", address: .unix(path: "/a")), Backend(name: "b", address: .unix(path: "/b")),
        ]
        let resolver = ScriptedResolver(backends)
        let pool = try Pool(name: "stress", resolver: resolver, connector: connector, policy: policy)
        let running = Task { try await pool.run() }
        let owners = Owners()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 { group.addTask { try await park(pool, owners, rounds: 3_000) } }
            for _ in 0..<2 { group.addTask { try await borrow(pool, owners, rounds: 800) } }
            group.addTask {
                for round in 0..<40 {
                    try await Task.sleep(for: .milliseconds(1))
                    resolver.publish(round % 2 == 0 ? [backends[1]] : backends)
                    pool.markSuspect(backends[1].id)
                    _ = pool.stats
                }
                pool.suspend()
                pool.resume()
            }
            try await group.waitForAll()
        }
        #expect(owners.conflicts.load(ordering: .relaxed) == 0)
        let stats = pool.stats
        #expect(stats.claimed == 0 && stats.waiting == 0 && stats.slots <= size)
        #expect(stats.totals.claims >= 6 * 3_000 + 2 * 800)
        #expect(stats.totals.timeouts == 0)
        await pool.stop()
        try await running.value
        #expect(connector.open == 0 && connector.closedOnce)
    }
}
