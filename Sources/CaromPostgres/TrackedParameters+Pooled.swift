// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

extension TrackedParameters {
    /// What a client may ask for when it connects: everything the server reports, and the settings that drivers and
    /// people put into a connection string although the server does not report them.
    package static let pooled = TrackedParameters(extra: [
        "bytea_output", "client_min_messages", "default_table_access_method",
        "default_transaction_deferrable",
        "default_transaction_isolation", "enable_hashjoin", "enable_indexscan", "enable_mergejoin",
        "enable_nestloop", "enable_seqscan", "extra_float_digits", "geqo",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout", "jit", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "lock_timeout",
        "log_min_duration_statement", "log_statement", "maintenance_work_mem", "plan_cache_mode",
        "random_page_cost", "role", "row_security", "statement_timeout", "synchronous_commit", "temp_buffers",
        "transaction_timeout", "work_mem", "xmloption",
    ])
}

extension SessionParameters {
    /// Of nothing it is known what it is: one table for all that begin so.
    package static let unknown = SessionParameters(.pooled)
}
