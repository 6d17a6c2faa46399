// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `watchdog` block in a `storage` block: who asks the storage's servers how far they lag.
package struct WatchdogSettings: Hashable, Sendable {
    /// `storage_db`: the database to ask in.
    package var database = ""
    /// `storage_user`: as whom.
    package var user = ""
    /// `storage_password`; `nil` for none.
    package var password: Secret?
    /// `watchdog_lag_query`: up to when a server has replayed, in seconds since 1970; `nil` for a question of ours.
    package var query: String?
    /// `watchdog_lag_interval`: how often a server is asked.
    package var interval: Duration = .seconds(1)

    package init() {}
}

/// What becomes of a client when all servers that it may have lag too far.
package enum CatchupRule: String, CaseIterable, Hashable, Sendable {
    /// It gets an error.
    case error
    /// It gets the primary.
    case primary
}
