// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// The lines that `log_stats` writes: one for the whole and one for each route.
enum StatisticsLog {
    /// - Parameter before: the statistics of the previous lines, for rates.
    static func lines(_ now: PoolerStatistics, before: PoolerStatistics) -> [String] {
        let seconds = (now.takenAt - before.takenAt) / .seconds(1)
        let known = Dictionary(
            before.routes.map { ($0.name, $0.counters) }, uniquingKeysWith: { first, _ in first })
        return ["clients \(now.clientsByWorker.reduce(0, +)), routes \(now.routes.count)"]
            + now.routes.map { line($0, since: known[$0.name] ?? Counters.Values(), seconds) }
    }

    private static func line(
        _ route: PoolerStatistics.Route, since before: Counters.Values, _ seconds: Double
    ) -> String {
        func rate(_ value: KeyPath<Counters.Values, Int>) -> Int {
            // A route that was given up and came back counts from nothing.
            let difference = max(0, route.counters[keyPath: value] - before[keyPath: value])
            return seconds > 0 ? Int(Double(difference) / seconds) : 0
        }
        return "[\(route.name)] clients \(route.clients.total), servers active \(route.servers.active), "
            + "idle \(route.servers.idle), waiting \(route.pool.waiting), "
            + "transactions/s \(rate(\.transactions)), queries/s \(rate(\.queries))"
    }
}
