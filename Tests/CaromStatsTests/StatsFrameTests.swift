// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

@testable import Carom
@testable import CaromStats

/// A pool's statistics with these backends, each with one connection in every state and more.
func snapshot(_ name: String, _ backends: [Backend], claims: UInt64 = 0) -> PoolSnapshot {
    var totals = PoolStats.Totals()
    totals.claims = claims
    let stats = backends.map { backend in
        PoolStats.BackendStats(
            backend: backend, state: .online, wanted: 20, connecting: 1, idle: 2, acquiring: 3, claimed: 4,
            checking: 5, recycling: 6, closing: 7, totalClaims: 8, totalConnects: 9, failedConnects: 10,
            authenticationFailures: 11, score: 12, lastError: "it \"broke\"")
    }
    return PoolSnapshot(
        stats: PoolStats(
            name: name, state: .running, backends: stats, waiting: 13, mostWaiting: 14,
            oldestWait: .milliseconds(1500), slots: 28, maxSlots: 64, planned: 20, totals: totals))
}

@Suite struct FrameTests {
    static let first = Backend(name: "db1", address: .ip("10.0.0.1", port: 5432))
    static let second = Backend(name: "db2", address: .ip("10.0.0.2", port: 5432))

    @Test func theFieldsOfQtopAreNamedAndCountedAsItExpects() throws {
        let frame = StatsFrame([snapshot("orders", [Self.first], claims: 100)], since: 58)
        let object = try #require(
            String(decoding: frame.json, as: UTF8.self).split(separator: "\"sets\":").last)
        #expect(
            object
                == #"{"db1":{"checking_slots":11,"claimed_slots":7,"connecting_slots":1,"total_claims":8,"unclaimed_slots":2}}}"#
        )
        #expect(frame.claims == 42)
        #expect(try JSONDecoder().decode(StatsFrame.self, from: frame.json) == frame)
    }

    @Test func numbersThatAreNotFiniteAreWrittenAsFiniteOnes() throws {
        var pool = snapshot("orders", [Self.first])
        let odd = Quantiles(count: 3, p50: -.infinity, p90: .nan, p99: .infinity, max: 2)
        pool.pool = .init(wait: odd, hold: odd)
        pool.backends = [Self.first.id: .init(wait: odd, hold: odd)]
        var frame = StatsFrame([pool])
        frame.carom?.pools[0].oldestWait = .nan
        let read = try JSONDecoder().decode(StatsFrame.self, from: frame.json)
        let written = try #require(read.carom?.pools.first)
        let expected = Quantiles(
            count: 3, p50: -.greatestFiniteMagnitude, p90: 0, p99: .greatestFiniteMagnitude, max: 2)
        #expect(written.oldestWait == 0)
        #expect(written.wait == expected && written.hold == expected)
        #expect(written.backends.first?.wait == expected && written.backends.first?.hold == expected)
    }

    @Test func namesThatWouldClashAreToldApart() {
        let moved = Backend(name: "db1", address: .ip("10.0.0.9", port: 5432))
        let one = StatsFrame([snapshot("orders", [Self.first, Self.second, moved])])
        #expect(Set(one.sets.keys) == ["db1 (10.0.0.1:5432)", "db1 (10.0.0.9:5432)", "db2"])
        let two = StatsFrame([snapshot("orders", [Self.first]), snapshot("users", [Self.first])])
        #expect(Set(two.sets.keys) == ["orders/db1", "users/db1"])
        #expect(two.carom?.pools.flatMap(\.backends).map(\.key) == ["orders/db1", "users/db1"])
    }

    @Test func aPoolThatLeftTakesItsClaimsAlong() {
        #expect(StatsFrame([snapshot("orders", [], claims: 5)], since: 9).claims == 0)
    }

    @Test func everythingElseIsUnderItsOwnName() throws {
        let pool = try #require(StatsFrame([snapshot("orders", [Self.first])]).carom?.pools.first)
        #expect(
            pool.state == "running" && pool.waiters == 13 && pool.oldestWait == 1.5 && pool.maxSlots == 64)
        let backend = try #require(pool.backends.first)
        #expect(backend.address == "10.0.0.1:5432" && backend.state == "online")
        #expect(backend.failureScore == 12 && backend.lastError == "it \"broke\"")
        #expect(backend.wait == nil)
    }
}
