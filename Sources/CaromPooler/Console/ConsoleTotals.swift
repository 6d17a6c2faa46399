// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// The sums that PgBouncer's statistics are about, in the order of its columns. Nil is a sum that nobody keeps.
struct ConsoleTotals: Equatable, Sendable {
    /// What the sums are of, as most tables call them.
    static let names = [
        "server_assignment_count", "xact_count", "query_count", "bytes_received", "bytes_sent", "xact_time",
        "query_time", "wait_time", "client_parse_count", "server_parse_count", "bind_count",
        "client_login_count",
    ]

    var values: [Int?]

    /// Nothing yet.
    init() { values = Self.names.map { Self.unknown.contains($0) ? nil : 0 } }

    /// What a route has done.
    init(_ route: PoolerStatistics.Route) {
        let (counters, pool) = (route.counters, route.pool.totals)
        values = [
            Int(clamping: pool.claims), counters.transactions, counters.queries, counters.received,
            counters.sent, nil, nil, Int(clamping: pool.waitNanoseconds / 1_000), counters[.clientParse],
            counters[.clientParse] + counters[.poolerParse], counters[.bind], counters[.login],
        ]
    }

    /// How long queries and transactions took is not measured.
    private static let unknown = ["xact_time", "query_time"]

    static func + (left: ConsoleTotals, right: ConsoleTotals) -> ConsoleTotals {
        var sum = left
        sum.values = zip(left.values, right.values).map { left, right in
            guard let left, let right else { return nil }
            return left + right
        }
        return sum
    }

    /// How much there was in a second.
    func rates(since before: ConsoleTotals, _ seconds: Double) -> ConsoleTotals {
        var rates = self
        rates.values = zip(values, before.values).map { after, before in
            guard let after, let before, seconds > 0 else { return nil }
            // A route that was given up and came back counts from nothing.
            return Int(Double(max(0, after - before)) / seconds)
        }
        return rates
    }

    /// As cells of a table.
    var cells: [String?] { values.map { $0.map(String.init) } }

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

    /// What databases did in a second of the last period; nothing is known of those that are not in it.
    static func rates(_ context: ConsoleContext) -> [String: ConsoleTotals] {
        guard let period = context.period else { return [:] }
        let seconds = (period.after.takenAt - period.before.takenAt) / .seconds(1)
        let before = Dictionary(
            uniqueKeysWithValues: byDatabase(period.before).map { ($0.database, $0.totals) })
        return Dictionary(
            uniqueKeysWithValues: byDatabase(period.after).map {
                ($0.database, $0.totals.rates(since: before[$0.database] ?? ConsoleTotals(), seconds))
            })
    }

    /// Averages that are not known.
    static var noRates: [String?] { names.map { _ in nil } }
}
