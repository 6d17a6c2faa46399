// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What `SET` changes while the pooler runs. The next reload of the file takes it back.
package enum LiveChange: Equatable, Sendable {
    case directive(SettingChange)
    /// A key of `[pgbouncer]`, where the pooler runs by an ini file.
    case entry(IniChange)
}
