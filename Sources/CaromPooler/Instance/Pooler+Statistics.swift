// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor

extension Pooler {
    /// Every `stats_interval`, a line for the whole and one for each route, until the task is cancelled.
    func logStatistics(on reactor: Reactor) async {
        guard settings.logStats else { return }
        var last: [String: (queries: Int, transactions: Int)] = [:]
        let interval = settings.statsInterval
        let seconds = Double(interval.nanoseconds) / 1e9
        while await reactor.sleep(for: UInt64(clamping: interval.nanoseconds)) {
            let routes = self.routes
            var present: [String: (queries: Int, transactions: Int)] = [:]
            log.stats("clients \(clientCount), routes \(routes.count)")
            for route in routes {
                let stats = route.pool.stats
                let queries = route.counters.reduce(0) { $0 + $1.queries }
                let transactions = route.counters.reduce(0) { $0 + $1.transactions }
                let before = last[route.name] ?? (0, 0)
                present[route.name] = (queries, transactions)
                log.stats(
                    "[\(route.name)] clients \(route.admission.count), servers active \(stats.claimed), "
                        + "idle \(stats.idle), waiting \(stats.waiting), "
                        + "transactions/s \(Int(Double(transactions - before.transactions) / seconds)), "
                        + "queries/s \(Int(Double(queries - before.queries) / seconds))")
            }
            last = present
        }
    }
}
