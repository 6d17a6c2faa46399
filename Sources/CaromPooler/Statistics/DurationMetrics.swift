// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// How long things took, for Prometheus.
enum DurationMetrics {
    private typealias Metric = (
        name: String, help: String, durations: @Sendable (PoolerStatistics.Route) -> DurationHistogram
    )

    static func add(_ routes: [PoolerStatistics.Route], to metrics: inout OpenMetrics) {
        for metric in all {
            metrics.add(
                "carom_\(metric.name)_seconds", metric.help, routes.map { ($0.labels, metric.durations($0)) })
        }
    }

    private static let all: [Metric] = [
        ("route_query", "From a request's first byte to the server to its end.", { $0.counters.queryTimes }),
        (
            "route_transaction", "From a transaction's first request to the end of its last.",
            { $0.counters.transactionTimes }
        ),
        (
            "pool_claim_wait", "How long clients waited for a server that had to.",
            { $0.pool.totals.waits }
        ),
        (
            "pool_connect", "How long connects to servers took that succeeded.",
            { $0.pool.totals.connectTimes }
        ),
    ]
}
