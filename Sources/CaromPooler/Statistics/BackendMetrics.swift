// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// The backends of pools, for Prometheus.
enum BackendMetrics {
    static func add(_ routes: [PoolerStatistics.Route], to metrics: inout OpenMetrics) {
        let rows = routes.flatMap { route in
            route.pool.backends.map {
                (labels: route.labels + $0.labels, backend: $0, lag: route.lags[$0.backend.id])
            }
        }
        metrics.add(
            "carom_backend_lag_seconds", .gauge,
            "How far a backend lags, as the storage's watchdog has found.",
            rows.compactMap { row in
                row.lag.map { .init(labels: row.labels, value: $0 / .seconds(1)) }
            })
        let states: [PoolStats.BackendState] = [.fresh, .online, .suspect, .dead, .draining]
        metrics.add(
            "carom_backend_state", .stateset, "A backend's health as a route's pool sees it.",
            rows.flatMap { row in
                states.map {
                    .init(
                        labels: row.labels + [("carom_backend_state", $0.rawValue)],
                        value: row.backend.state == $0 ? 1 : 0)
                }
            })
        metrics.add(
            "carom_backend_role", .stateset, "What a backend says that it is.",
            rows.flatMap { row in
                ["primary", "standby"].map {
                    .init(
                        labels: row.labels + [("carom_backend_role", $0)],
                        value: row.backend.attributes["role"] == $0 ? 1 : 0)
                }
            })
        metrics.add(
            "carom_backend_servers", .gauge, "Connections to a backend by what they are doing.",
            rows.flatMap { row in
                PoolerStatistics.Servers([row.backend]).byState.map {
                    .init(labels: row.labels + [("state", $0.state)], value: Double($0.count))
                }
            })
        let gauges: [(String, String, (PoolStats.BackendStats) -> Int)] = [
            ("wanted_servers", "Connections planned for a backend.", { $0.wanted }),
            ("held_back", "It lags too far for the route's clients.", { $0.heldBack == nil ? 0 : 1 }),
            ("overruled", "It says that it is a primary, and another one is.", { $0.isOverruled ? 1 : 0 }),
            ("failure_score", "Failures of late: the fewer, the sooner it is chosen.", { $0.score }),
        ]
        for (name, help, value) in gauges {
            metrics.add(
                "carom_backend_\(name)", .gauge, help,
                rows.map { .init(labels: $0.labels, value: Double(value($0.backend))) })
        }
        let counters: [(String, String, (PoolStats.BackendStats) -> UInt64)] = [
            ("claims", "Claims a backend has served.", { $0.totalClaims }),
            ("connects", "Connects begun.", { $0.totalConnects }),
            ("connect_failures", "Connects failed.", { $0.failedConnects }),
            (
                "authentication_failures", "Connects failed for authentication.",
                { $0.authenticationFailures }
            ),
        ]
        for (name, help, value) in counters {
            metrics.add(
                "carom_backend_\(name)", .counter, help,
                rows.map { .init(labels: $0.labels, value: Double(value($0.backend))) })
        }
    }
}

extension PoolStats.BackendStats {
    /// No two backends of a pool have the same: name and address are what makes a backend itself.
    fileprivate var labels: [(name: String, value: String)] {
        [("backend", backend.name), ("address", backend.address.description)]
    }
}
