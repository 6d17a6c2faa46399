// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What Prometheus is told about clients that did not get in.
enum LoginMetrics {
    static func add(_ refusals: PoolerStatistics.Refusals, to metrics: inout OpenMetrics) {
        let reasons = [
            ("descriptors", refusals.descriptors), ("logins", refusals.logins),
            ("login_timeout", refusals.lateLogins), ("failed_logins", refusals.afterFailures),
        ]
        metrics.add(
            "carom_refused_clients", .counter,
            "Clients sent away before they had logged in.",
            reasons.map { .init(labels: [("reason", $0.0)], value: Double($0.1)) })
        metrics.add(
            "carom_failed_logins", .counter, "Logins with a wrong password, or by whom nobody knows.",
            [.init(value: Double(refusals.failedLogins))])
    }
}
