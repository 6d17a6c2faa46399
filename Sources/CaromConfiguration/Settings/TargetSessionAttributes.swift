// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Which of several servers will do: libpq's `target_session_attrs`.
package enum TargetSessionAttributes: String, CaseIterable, Hashable, Sendable {
    case any
    /// It takes writes: no standby, and `default_transaction_read_only` is off.
    case readWrite = "read-write"
    /// It does not.
    case readOnly = "read-only"
    case primary
    case standby
    /// A standby, as long as there is one; else any.
    case preferStandby = "prefer-standby"
}
