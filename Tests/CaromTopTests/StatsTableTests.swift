// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromStats
import FoundationEssentials
import Testing

@testable import CaromTop

@Suite struct TableTests {
    static func frame(_ totals: [String: UInt64]) -> StatsFrame {
        StatsFrame(
            claims: 0,
            sets: totals.mapValues {
                StatsFrame.SetCounts(
                    connecting: 0, unclaimed: Int($0 % 7), checking: 0, claimed: 0, totalClaims: $0)
            }, carom: nil)
    }

    /// A message of a pool with one backend.
    static func orders(claims: UInt64) throws -> StatsFrame {
        let wait = #"{"count": 2, "p50": 0.0012, "p90": 0.01, "p99": 0.25, "max": 3}"#
        let hold = #"{"count": 0, "p50": 0, "p90": 0, "p99": 0, "max": 0}"#
        let text = """
            {"claims": 0,
            "sets": {"db1": {"connecting_slots": 1, "unclaimed_slots": 2, "checking_slots": 11, "claimed_slots": 7,
            "total_claims": \(claims)}},
            "carom": {"pools": [{"name": "orders", "state": "running", "waiters": 13, "most_waiters": 14,
            "oldest_wait_seconds": 1.5, "slots": 28, "max_slots": 64, "planned_slots": 20,
            "totals": {"claims": 0, "waited_claims": 0, "timeouts": 0, "cancellations": 0, "failures": 0, "shed": 0,
            "connects": 0, "connect_failures": 0, "check_failures": 0, "closes": 0, "revocations": 0, "forgotten": 0},
            "wait_seconds": \(wait), "hold_seconds": \(hold),
            "backends": [{"key": "db1", "name": "db1", "address": "10.0.0.1:5432", "priority": 0, "weight": 1,
            "attributes": {}, "state": "online", "wanted_slots": 20, "connecting_slots": 1, "idle_slots": 2,
            "acquiring_slots": 3, "claimed_slots": 4, "checking_slots": 5, "recycling_slots": 6, "closing_slots": 7,
            "total_claims": \(claims), "total_connects": 9, "failed_connects": 10, "authentication_failures": 11,
            "failure_score": 12}]}]}}
            """
        return try StatsFrame(json: Data(text.utf8))
    }

    static func at(_ seconds: Double) -> PoolInstant { PoolInstant(nanoseconds: Int64(seconds * 1e9)) }

    @Test func ratesAreDifferencesOverTime() {
        var table = StatsTable()
        table.update(Self.frame(["a": 100, "b": 0]), at: Self.at(0))
        #expect(!table.hasRates && table.claimRate == nil)
        table.update(Self.frame(["a": 150, "b": 10]), at: Self.at(2))
        #expect(table.rows["a"]?.rates == [25] && table.rows["b"]?.rates == [5])
        #expect(table.hasRates && table.claimRate == 30)
    }

    @Test func messagesInQuickSuccessionMakeOneRate() {
        var table = StatsTable()
        table.update(Self.frame(["a": 100]), at: Self.at(0))
        table.update(Self.frame(["a": 140]), at: Self.at(0.01))
        table.update(Self.frame(["a": 200]), at: Self.at(1))
        #expect(table.rows["a"]?.rates == [100])
    }

    @Test func aBackendThatCameBackStartsFromNothing() {
        var table = StatsTable()
        table.update(Self.frame(["a": 1000]), at: Self.at(0))
        table.update(Self.frame(["a": 30]), at: Self.at(1))
        #expect(table.rows["a"]?.rates == [30])
        table.update(Self.frame([:]), at: Self.at(2))
        #expect(table.rows.isEmpty && table.hasRates)
    }

    @Test func historyIsBounded() {
        var table = StatsTable()
        for second in 0..<500 { table.update(Self.frame(["a": UInt64(second)]), at: Self.at(Double(second))) }
        #expect(table.rows["a"]?.rates.count == StatsTable.history)
    }

    @Test func rowsAreSortedAsAsked() {
        var table = StatsTable()
        table.update(Self.frame(["a": 0, "b": 0, "c": 0]), at: Self.at(0))
        table.update(Self.frame(["a": 8, "b": 30, "c": 20]), at: Self.at(1))
        #expect(table.keys(by: .name) == ["a", "b", "c"])
        #expect(table.keys(by: .claims) == ["b", "c", "a"])
        #expect(table.keys(by: .claims, reversed: true) == ["a", "c", "b"])
        #expect(table.keys(by: .idle) == ["c", "b", "a"])
    }

    @Test func aTableShowsPoolsBackendsAndHistory() throws {
        var table = StatsTable()
        table.update(try Self.orders(claims: 8), at: Self.at(0))
        table.update(try Self.orders(claims: 58), at: Self.at(1))
        #expect(
            table.lines(width: 100, order: .claims, styled: false) == [
                "orders: running, 13 waiting, 28 of 64 slots, wait p50 1.20ms p90 10.0ms p99 250ms max 3.00s, hold unknown",
                "",
                "BACKEND  STATE   CONN  IDLE  CLAIMED  CHECK  *CLAIMS/S  WAIT P50  P99  HOLD P50  P99  CLAIMS/S, NEWE",
                "db1      online     1     2        7     11       50.0                                             █",
            ])
        #expect(table.lines(width: 40, styled: false)[2].hasSuffix("P99"))
    }

    @Test func namesFromTheNetworkDoNotSteerTheTerminal() {
        var table = StatsTable()
        table.update(Self.frame(["a\u{1B}[2J\r\n\u{9B}31m\u{202E}b": 1]), at: Self.at(0))
        let line = table.lines(width: 100, styled: false).joined()
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x9B || $0.value == 0x202E })
    }

    @Test(arguments: [
        (0.0, "0"), (0.000_000_5, "0"), (0.000_001_5, "1.50µs"), (0.000_999, "999µs"), (0.012_34, "12.3ms"),
        (0.9994, "999ms"), (1, "1.00s"), (75, "75.0s"), (.infinity, "?s"), (.nan, "?s"), (-4, "0"),
        (1e300, "?s"),
    ])
    func timesHaveThreeDigits(_ seconds: Double, _ expected: String) {
        #expect(StatsTable.time(seconds) == expected)
    }
}
