// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The metrics of what it takes that clients share servers; see ``SessionEvent``.
enum SessionMetrics {
    /// What is done for clients that share servers.
    static func add(_ routes: [PoolerStatistics.Route], to metrics: inout OpenMetrics) {
        func add(_ name: String, _ help: String, _ rows: [(event: SessionEvent, label: String, name: String)])
        {
            metrics.add(
                "carom_route_\(name)", .counter, help,
                routes.flatMap { route in
                    rows.map { row in
                        .init(
                            labels: route.labels + (row.label.isEmpty ? [] : [(row.label, row.name)]),
                            value: Double(route.counters[row.event]))
                    }
                })
        }
        add("logins", "Clients that have logged in.", [(.login, "", "")])
        add("session_looks", "Servers asked what is in their sessions.", [(.look, "", "")])
        add("carried_settings", "Servers brought to the settings of their clients.", [(.settings, "", "")])
        add(
            "pins", "Clients that came to keep their server, by what keeps it.",
            SessionEvent.pins.map { ($0.event, "state", $0.name) })
        add(
            "resets", "Servers reset after a client.", SessionEvent.resets.map { ($0.event, "kind", $0.name) }
        )
        add("failed_resets", "Servers that could not be reset.", [(.failedReset, "", "")])
        add(
            "parses", "Prepared statements parsed by a server, by who asked for it.",
            SessionEvent.parses.map { ($0.event, "by", $0.name) })
        add(
            "reused_statements", "Uses of a prepared statement that the server had already.",
            [(.reuse, "", "")])
        add("binds", "Prepared statements bound.", [(.bind, "", "")])
        add(
            "evicted_statements", "Prepared statements that a server closed to have room for another.",
            [(.eviction, "", "")])
        add("refused_parses", "Prepared statements refused for want of memory.", [(.refusal, "", "")])
        add(
            "timeouts", "What a limit of time has ended, by its directive.",
            SessionEvent.timeouts.map { ($0.event, "limit", $0.name) })
        add(
            "refused_transactions", "Transactions refused in statement pooling.",
            [(.refusedTransaction, "", "")])
        add(
            "retries", "Requests that went to another server because theirs was lost before it had answered.",
            [(.retry, "", "")])
        add("wait_notices", "Clients told that they wait for a server.", [(.waitNotice, "", "")])
        let gauges: [(String, String, (PoolerStatistics.Route) -> Int)] = [
            ("statements", "Prepared statements that clients have.", { $0.statements.count }),
            ("statement_text_bytes", "Bytes of their texts.", { $0.statements.bytes }),
        ]
        for (name, help, value) in gauges {
            metrics.add(
                "carom_route_\(name)", .gauge, help,
                routes.map { .init(labels: $0.labels, value: Double(value($0))) })
        }
    }
}
