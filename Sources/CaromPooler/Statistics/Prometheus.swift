// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

extension PoolerStatistics {
    /// The statistics as OpenMetrics text, for Prometheus.
    var prometheus: String { metrics(.openMetrics) }

    /// The statistics for Prometheus and whoever reads its formats.
    func metrics(_ dialect: OpenMetrics.Dialect) -> String {
        var metrics = OpenMetrics(dialect)
        addProcess(to: &metrics)
        LimitMetrics.add(limits, to: &metrics)
        addRoutes(to: &metrics)
        DurationMetrics.add(routes, to: &metrics)
        SessionMetrics.add(routes, to: &metrics)
        addPools(to: &metrics)
        BackendMetrics.add(routes, to: &metrics)
        metrics.finish()
        return metrics.text
    }

    private func addProcess(to metrics: inout OpenMetrics) {
        metrics.add(
            "carom_build", .info, "The running program.",
            [.init(labels: [("version", process.version)], value: 1)])
        metrics.add(
            "carom_start_time_seconds", .gauge, "When the process started, in seconds since 1970.",
            [.init(value: Double(process.startedAt))])
        metrics.add(
            "carom_workers", .gauge, "Threads that serve clients.", [.init(value: Double(process.workers))])
        metrics.add(
            "carom_clients", .gauge, "Connected clients by what they are doing.",
            clients.byState.map { .init(labels: [("state", $0.state)], value: Double($0.count)) })
        metrics.add(
            "carom_worker_clients", .gauge, "Clients connected to each worker.",
            clientsByWorker.enumerated().map { index, count in
                .init(labels: [("worker", "\(index)")], value: Double(count))
            })
        LoginMetrics.add(refusals, to: &metrics)
        metrics.add(
            "carom_prepared_statement_bytes", .gauge, "What prepared statements of clients take of memory.",
            [.init(value: Double(statementMemory.bytes))])
        metrics.add(
            "carom_prepared_statement_limit_bytes", .gauge, "What they may take.",
            statementMemory.limit.map { [.init(value: Double($0))] } ?? [])
        metrics.add(
            "carom_waiting_bytes", .gauge, "What waits in buffers for clients and servers.",
            [.init(value: Double(bufferMemory.bytes))])
        metrics.add(
            "carom_waiting_limit_bytes", .gauge, "What may wait there.",
            bufferMemory.limit.map { [.init(value: Double($0))] } ?? [])
        metrics.add(
            "carom_log_lost_lines", .counter, "Lines of the log that nobody took in time.",
            [.init(value: Double(lostLogLines))])
    }

    private func addRoutes(to metrics: inout OpenMetrics) {
        metrics.add(
            "carom_route", .info, "Live routes and how they pool.",
            routes.map { .init(labels: $0.labels + [("mode", $0.mode.rawValue)], value: 1) })
        metrics.add(
            "carom_route_clients", .gauge, "Logged-in clients of a route by what they are doing.",
            routes.flatMap { route in
                route.clients.byState.filter { ["idle", "waiting", "active"].contains($0.state) }.map {
                    .init(labels: route.labels + [("state", $0.state)], value: Double($0.count))
                }
            })
        let counters: [(String, String, KeyPath<Counters.Values, Int>)] = [
            ("queries", "Requests that ended with ReadyForQuery.", \.queries),
            ("transactions", "Requests after which no transaction was open.", \.transactions),
            ("received_bytes", "Bytes from clients.", \.received),
            ("sent_bytes", "Bytes to clients.", \.sent),
        ]
        for (name, help, value) in counters {
            metrics.add(
                "carom_route_\(name)", .counter, help,
                routes.map { .init(labels: $0.labels, value: Double($0.counters[keyPath: value])) })
        }
    }

    private func addPools(to metrics: inout OpenMetrics) {
        let states: [PoolStats.State] = [.running, .failed, .suspended, .stopping, .stopped]
        metrics.add(
            "carom_pool_state", .stateset, "What a route's pool is doing; failed: every backend is dead.",
            routes.flatMap { route in
                states.map {
                    .init(
                        labels: route.labels + [("carom_pool_state", $0.rawValue)],
                        value: route.pool.state == $0 ? 1 : 0)
                }
            })
        let gauges: [(String, String, (PoolStats) -> Double)] = [
            ("waiting", "Clients in the queue for a server.", { Double($0.waiting) }),
            ("most_waiting", "The most that ever waited.", { Double($0.mostWaiting) }),
            (
                "oldest_wait_seconds", "How long the first in the queue has waited.",
                { $0.oldestWait / .seconds(1) }
            ),
            ("servers", "Connections to servers in every state.", { Double($0.slots) }),
            ("max_servers", "How many there may be.", { Double($0.maxSlots) }),
            ("planned_servers", "How many are planned at the moment.", { Double($0.planned) }),
        ]
        for (name, help, value) in gauges {
            metrics.add(
                "carom_pool_\(name)", .gauge, help,
                routes.map { .init(labels: $0.labels, value: value($0.pool)) })
        }
        for (name, help, value) in Self.totals {
            metrics.add(
                "carom_pool_\(name)", .counter, help,
                routes.map { .init(labels: $0.labels, value: value($0.pool.totals)) })
        }
    }

    private static let totals: [(String, String, @Sendable (PoolStats.Totals) -> Double)] = [
        ("claims", "Servers lent to clients.", { Double($0.claims) }),
        ("waited_claims", "Of those, clients that had to wait.", { Double($0.waitedClaims) }),
        ("wait_seconds", "Time they waited together.", { Double($0.waitNanoseconds) / 1e9 }),
        ("hold_seconds", "Time servers were lent.", { Double($0.holdNanoseconds) / 1e9 }),
        ("timeouts", "Waits that took longer than pool_timeout.", { Double($0.timeouts) }),
        ("cancellations", "Waits that the client gave up.", { Double($0.cancellations) }),
        ("failures", "Claims refused or failed for any other reason.", { Double($0.failures) }),
        ("shed_claims", "Waits ended early because the queue was too slow.", { Double($0.shed) }),
        ("connects", "Connections to servers begun.", { Double($0.connects) }),
        ("connect_failures", "Of those, failed ones.", { Double($0.connectFailures) }),
        ("checks", "Health checks begun.", { Double($0.checks) }),
        ("check_failures", "Of those, failed ones.", { Double($0.checkFailures) }),
        ("recycles", "Returned connections that had to be made clean.", { Double($0.recycles) }),
        ("recycle_failures", "Of those, failed ones.", { Double($0.recycleFailures) }),
        ("closes", "Connections closed.", { Double($0.closes) }),
        ("revocations", "Connections taken from their holder.", { Double($0.revocations) }),
        ("reserve_openings", "Times the reserve pool was needed.", { Double($0.reserveOpenings) }),
        ("forgotten_claims", "Connections their holder forgot.", { Double($0.forgotten) }),
    ]
}

extension PoolerStatistics.Route {
    /// No two routes have the same.
    var labels: [(name: String, value: String)] {
        [("database", database), ("user", user), ("rule", rule)]
    }
}
