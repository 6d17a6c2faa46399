// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension WatchdogSettings: ConfigurationScope {
    /// What may stand in a `watchdog` block. Odyssey has a pool for it, which is not needed here.
    package static let directives = DirectiveTable<WatchdogSettings>(
        block: "watchdog",
        [
            .text("storage_db", \.database), .text("storage_user", \.user),
            .secret("storage_password", \.password),
            .text("watchdog_lag_query", optional: \.query),
            .time("watchdog_lag_interval", in: .seconds, \.interval),
        ]
            + [
                "authentication", "storage", "pool_routing", "pool", "pool_size", "pool_timeout", "pool_ttl",
                "pool_discard", "pool_cancel", "pool_rollback", "pool_client_idle_timeout",
                "pool_idle_in_transaction_timeout", "server_lifetime", "client_fwd_error", "log_debug",
                "log_query",
            ].map { .ignored($0) })
}
