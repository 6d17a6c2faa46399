// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// The metrics of limits of servers that routes share.
enum LimitMetrics {
    static func add(_ limits: [QuotaUse], to metrics: inout OpenMetrics) {
        let gauges: [(String, String, (QuotaUse) -> Double)] = [
            ("servers", "Connections to servers under a limit that routes share.", { Double($0.held) }),
            ("max_servers", "How many there may be.", { Double($0.limit) }),
            ("waiting_routes", "Routes whose clients wait because of it.", { Double($0.waiting) }),
            (
                "oldest_wait_seconds", "How long the first of these clients has waited.",
                { $0.oldestWait / .seconds(1) }
            ),
        ]
        for (name, help, value) in gauges {
            metrics.add(
                "carom_limit_\(name)", .gauge, help,
                limits.map { use in
                    .init(
                        labels: [("kind", use.group.kind), ("name", use.group.name)], value: value(use))
                })
        }
    }
}
