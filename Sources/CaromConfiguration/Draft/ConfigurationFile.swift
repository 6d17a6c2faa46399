// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A configuration that was read and checked.
package struct ConfigurationFile: Equatable, Sendable {
    /// What it says.
    package let settings: Settings
    /// What in it does nothing or is probably not meant.
    package let warnings: [ConfigurationDiagnostic]
    /// What the file said, if it is one of PgBouncer's: `SET` goes by its keys then.
    package internal(set) var ini: IniConfiguration?

    init(settings: Settings, warnings: [ConfigurationDiagnostic]) {
        self.settings = settings
        self.warnings = warnings
    }

    /// Reads a configuration file and the files it includes; certificates and keys that it names are tried. One whose name ends in `.ini`
    /// is read in PgBouncer's grammar, every other in Odyssey's.
    ///
    /// In Odyssey's grammar paths of `include` count from the including file's directory, all other paths in a configuration from the
    /// directory the process runs in.
    /// - Throws: every mistake found in any of the files, or that the file cannot be read.
    package static func load(path: String) throws(ConfigurationErrors) -> ConfigurationFile {
        if isIni(path) { return try IniConfiguration.load(path: path) }
        switch ConfigurationSource.files.read(path) {
        case .success(let bytes):
            return try draft(bytes, file: path, source: .files).checked(loadingFiles: true)
        case .failure(let failure):
            throw ConfigurationErrors(unreadable: path, failure)
        }
    }

    /// Reads a configuration from a text; `file` is what its diagnostics call it, and says which grammar it has. The text cannot include
    /// files.
    /// - Throws: every mistake found in it.
    package static func parse(
        text: String, file: String = "configuration"
    ) throws(ConfigurationErrors) -> ConfigurationFile {
        try parse(Array(text.utf8), file: file, source: .none)
    }

    /// Reads a configuration from bytes, with files to include from `source`.
    static func parse(
        _ bytes: [UInt8], file: String, source: ConfigurationSource
    ) throws(ConfigurationErrors) -> ConfigurationFile {
        try draft(bytes, file: file, source: source).checked()
    }

    private static func isIni(_ file: String) -> Bool { file.hasSuffix(".ini") }

    private static func draft(_ text: [UInt8], file: String, source: ConfigurationSource)
        -> ConfigurationDraft
    {
        isIni(file)
            ? PgBouncerParser.draft(text: text, file: file, source: source)
            : OdysseyParser.draft(text: text, file: file, source: source)
    }
}

extension ConfigurationErrors {
    init(unreadable path: String, _ failure: ConfigurationReadFailure) {
        let position = ConfigurationPosition(file: path, line: 1, column: 1)
        self.init([
            ConfigurationDiagnostic(.error, at: position, "the file cannot be read: \(failure.reason)")
        ])
    }
}
