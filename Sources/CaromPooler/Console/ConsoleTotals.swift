// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// The sums that PgBouncer's statistics are about, in the order of its columns; times in microseconds.
struct ConsoleTotals: Equatable, Sendable {
    /// What the sums are of, as most tables call them.
    static let names = [
        "server_assignment_count", "xact_count", "query_count", "bytes_received", "bytes_sent", "xact_time",
        "query_time", "wait_time", "client_parse_count", "server_parse_count", "bind_count",
        "client_login_count",
    ]

    var values: [Int]

    /// Nothing yet.
    init() { values = Self.names.map { _ in 0 } }

    /// What a route has done.
    init(_ route: PoolerStatistics.Route) {
        let (counters, pool) = (route.counters, route.pool.totals)
        values = [
            Int(clamping: pool.claims), counters.transactions, counters.queries, counters.received,
            counters.sent, Self.microseconds(counters.transactionTimes.nanoseconds),
            Self.microseconds(counters.queryTimes.nanoseconds), Self.microseconds(pool.waitNanoseconds),
            counters[.clientParse],
            counters[.clientParse] + counters[.poolerParse], counters[.bind], counters[.login],
        ]
    }

    private static func microseconds(_ nanoseconds: UInt64) -> Int { Int(clamping: nanoseconds / 1_000) }

    /// Averages of these are those of one of what is counted in the other column; all others are those of a second.
    private static let countedBy = ["xact_time": "xact_count", "query_time": "query_count"]

    static func + (left: ConsoleTotals, right: ConsoleTotals) -> ConsoleTotals {
        var sum = left
        sum.values = zip(left.values, right.values).map { $0 + $1 }
        return sum
    }

    /// How much there was in each second of so many, and how long one query and one transaction took.
    func averages(over seconds: Double) -> ConsoleTotals {
        if seconds <= 0 { return ConsoleTotals() }
        var averages = self
        averages.values = zip(Self.names, values).map { name, amount in
            guard let counted = Self.countedBy[name], let place = Self.names.firstIndex(of: counted) else {
                return Int(Double(amount) / seconds)
            }
            return values[place] == 0 ? 0 : amount / values[place]
        }
        return averages
    }

    /// What has come since; a route that was given up and came back counts from nothing.
    private func growth(since before: ConsoleTotals) -> ConsoleTotals {
        var growth = self
        growth.values = zip(values, before.values).map { max(0, $0 - $1) }
        return growth
    }

    /// As cells of a table.
    var cells: [String?] { values.map(String.init) }

    // MARK: By database

    /// The sums of each database, in order.
    static func byDatabase(_ statistics: PoolerStatistics) -> [(database: String, totals: ConsoleTotals)] {
        var sums: [String: ConsoleTotals] = [:]
        for route in statistics.routes {
            sums[route.database, default: ConsoleTotals()] =
                sums[route.database, default: ConsoleTotals()] + ConsoleTotals(route)
        }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// What databases did in the last period, and how many seconds that was; nil as long as the first one lasts.
    static func lastPeriod(_ context: ConsoleContext) -> (growth: [String: ConsoleTotals], seconds: Double)? {
        guard let period = context.period else { return nil }
        let before = Dictionary(
            uniqueKeysWithValues: byDatabase(period.before).map { ($0.database, $0.totals) })
        let growth = byDatabase(period.after).map {
            ($0.database, $0.totals.growth(since: before[$0.database] ?? ConsoleTotals()))
        }
        return (
            Dictionary(uniqueKeysWithValues: growth),
            (period.after.takenAt - period.before.takenAt) / .seconds(1)
        )
    }

    /// The averages of each database; nothing is known of those that are not in the last period.
    static func averages(_ context: ConsoleContext) -> [String: ConsoleTotals] {
        guard let (growth, seconds) = lastPeriod(context) else { return [:] }
        return growth.mapValues { $0.averages(over: seconds) }
    }

    /// Averages that are not known.
    static var noAverages: [String?] { names.map { _ in nil } }
}
