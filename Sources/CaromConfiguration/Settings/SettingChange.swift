// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A directive of the top of the file that is given another value while the pooler runs. The next reload of the file takes it back.
package struct SettingChange: Equatable, Sendable {
    package let name: String
    package let value: ConfigurationValue.Content

    package init(_ name: String, to value: ConfigurationValue.Content) {
        self.name = name
        self.value = value
    }

    /// Why it cannot be made.
    package enum Refusal: Error, Equatable, Sendable {
        case unknown
        /// It has no effect before a restart, or belongs with others that the file has.
        case fixed
        /// The value is none, for this reason.
        case invalid(String)
    }

    /// Which a listener checks together with others.
    private static let onlyInFile: Set<String> = ["unix_socket_dir", "unix_socket_mode"]

    /// The settings with the change.
    package func applied(to settings: Settings) throws(Refusal) -> Settings {
        guard let directive = Settings.directives[name], !directive.isIgnored else { throw .unknown }
        let needsRestart = settings.entries.contains { $0.name == name && $0.needsRestart }
        if needsRestart || Self.onlyInFile.contains(name) { throw .fixed }
        var changed = settings
        let position = ConfigurationPosition(file: "SET", line: 1, column: 1)
        do throws(ValueError) {
            try directive.read(ConfigurationValue(value, at: position), &changed)
        } catch {
            throw .invalid(error.message)
        }
        return changed
    }
}
