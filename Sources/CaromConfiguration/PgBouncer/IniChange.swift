// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A key of `[pgbouncer]` that is given another value, as the file would give it behind all others.
package struct IniChange: Equatable, Sendable {
    let key: String
    let value: String

    /// Nil if ini files have no such key.
    ///
    /// - Throws: why the value cannot be set, as the file would be told.
    package init?(_ key: String, to value: String) throws(SettingChange.Refusal) {
        guard let known = IniKeys.main[key] else { return nil }
        if known.isIgnoredBecause != nil || known.needsRestart { throw .fixed }
        if let objection = known.objection(to: value) { throw .invalid(objection.message) }
        self.key = key
        self.value = value
    }

    /// Behind all that the file has.
    var entry: IniEntry {
        let position = ConfigurationPosition(file: "SET", line: 1, column: 1)
        return IniEntry(key: key, value: value, position: position, valuePosition: position)
    }
}
