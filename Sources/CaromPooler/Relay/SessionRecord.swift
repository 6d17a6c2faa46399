// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What is in a client's ``SessionBook`` between two transactions, as another process is told of it.
struct SessionRecord: Equatable, Sendable {
    var startup = SettingValues()
    var wishes = SettingValues()
    var told = SettingValues()
    var effects = StatementEffects.none
    var settingChanges = 0
    var hasUnknownChanges = false
    var unsettled: TextSettings = []
    /// In their order.
    var customNames: [String] = []
}
