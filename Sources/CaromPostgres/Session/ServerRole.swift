// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What a server has said that shows what it is to clients: a primary or a standby, one for reading only or not.
package struct ServerRole: Sendable {
    /// Changes with what is known.
    package private(set) var version = 0
    /// By default transactions are read only there, whatever a client has set in its session.
    package private(set) var isReadOnlyByDefault = false

    /// `on` where transactions are read only unless they say otherwise; reported from PostgreSQL 14 on.
    private static let readOnlyParameter = "default_transaction_read_only"

    /// The server reports a parameter that was `old`.
    mutating func heard(_ status: ParameterStatus, was old: String?) {
        if status.name == ServerState.roleParameter, old != status.value { version += 1 }
    }

    /// These reports are the server's own doing: what was set in the session, by us or a client, is not among them.
    mutating func believe(_ reported: SettingValues, butFor set: SettingValues = SettingValues()) {
        let isReadOnly = reported[Self.readOnlyParameter] == "on"
        if isReadOnly == isReadOnlyByDefault || set[Self.readOnlyParameter] != nil { return }
        isReadOnlyByDefault = isReadOnly
        version += 1
    }
}
