// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A configuration in PgBouncer's grammar as it was read, and what was set since (`SET`).
///
/// What is set is read behind the entries of the file, so that it means what it would mean there; and the files are as they were read, so that
/// nobody's unfinished edit takes effect by a `SET`.
package struct IniConfiguration: Equatable, Sendable {
    private let file: String
    /// What the files said, by their paths.
    private let texts: [String: [UInt8]]
    private let changes: [LiveChange]
    /// The keys of `[pgbouncer]` that have a meaning here, and what holds.
    package let entries: [Settings.Entry]

    /// Directives that can be set as well: ini files have no keys for them.
    package static let directives: Set<String> = [
        "auth_delay", "auth_failure_limit", "auth_failure_period", "availability_zone", "client_max_routing",
        "graceful_shutdown_timeout_ms", "log_query", "prepared_statements_memory", "upgrade_timeout",
    ]

    /// Reads a file and all that it names.
    static func load(path: String) throws(ConfigurationErrors) -> ConfigurationFile {
        try load(path, [:], [])
    }

    /// What was read, with one change more. Only files that were not named before are read.
    package func changed(by change: LiveChange) throws(ConfigurationErrors) -> ConfigurationFile {
        try Self.load(file, texts, changes + [change])
    }

    /// The settings with the directives that were set.
    package func applyDirectives(to settings: Settings) throws(SettingChange.Refusal) -> Settings {
        var settings = settings
        for case .directive(let change) in changes { settings = try change.applied(to: settings) }
        return settings
    }

    private static func load(_ path: String, _ texts: [String: [UInt8]], _ changes: [LiveChange])
        throws(ConfigurationErrors) -> ConfigurationFile
    {
        func source(_ texts: [String: [UInt8]]) -> ConfigurationSource {
            ConfigurationSource { path in
                texts[path].map { .success($0) } ?? ConfigurationSource.files.read(path)
            }
        }
        var texts = texts
        let text: [UInt8]
        switch source(texts).read(path) {
        case .failure(let failure): throw ConfigurationErrors(unreadable: path, failure)
        case .success(let found): text = found
        }
        let set = changes.compactMap { if case .entry(let change) = $0 { change.entry } else { nil } }
        let ini = PgBouncerFile(text: text, file: path, source: source(texts), behind: set)
        texts.merge(ini.texts) { old, _ in old }
        texts[path] = text
        if let users = ini.main.text("auth_file"), case .success(let text) = source(texts).read(users) {
            texts[users] = text
        }
        var loaded = try PgBouncerParser.draft(of: ini, file: path, source: source(texts)).checked(
            loadingFiles: true)
        loaded.ini = IniConfiguration(
            file: path, texts: texts, changes: changes, entries: ini.main.shown)
        return loaded
    }
}

// The texts have passwords.
extension IniConfiguration: CustomStringConvertible, CustomReflectable {
    package var description: String { "IniConfiguration(\(file), \(changes.count) changes)" }
    package var customMirror: Mirror { Mirror(self, children: ["file": file]) }
}
