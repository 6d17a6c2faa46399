// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A configuration that was read and checked.
package struct ConfigurationFile: Equatable, Sendable {
    /// What it says.
    package let settings: Settings
    /// What in it does nothing or is probably not meant.
    package let warnings: [ConfigurationDiagnostic]
    /// What is valid in it and yet cannot be done by this version: it must not be served as if it were.
    package let unsupported: [ConfigurationDiagnostic]

    /// Reads a configuration file and the files it includes.
    ///
    /// Paths of `include` count from the including file's directory, all other paths in a configuration from the
    /// directory the process runs in.
    /// - Throws: every mistake found in any of the files, or that the file cannot be read.
    package static func load(path: String) throws(ConfigurationErrors) -> ConfigurationFile {
        switch ConfigurationSource.files.read(path) {
        case .success(let bytes):
            return try parse(bytes, file: path, source: .files)
        case .failure(let failure):
            let position = ConfigurationPosition(file: path, line: 1, column: 1)
            throw ConfigurationErrors([
                ConfigurationDiagnostic(.error, at: position, "the file cannot be read: \(failure.reason)")
            ])
        }
    }

    /// Reads a configuration from a text; `file` is what its diagnostics call it. The text cannot include files.
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
        var parser = ConfigurationParser(text: bytes, file: file, source: source)
        let beginning = ConfigurationPosition(file: file, line: 1, column: 1)
        var top = ConfigurationBlock(Settings(), at: beginning)
        parser.parseFile(into: &top)
        var validator = ConfigurationValidator(parser, top: top)
        validator.run()

        let order = Dictionary(uniqueKeysWithValues: parser.files.enumerated().map { ($1, $0) })
        let diagnostics = validator.diagnostics.sorted {
            let (left, right) = ($0.position, $1.position)
            return (order[left.file] ?? 0, left.line, left.column) < (
                order[right.file] ?? 0, right.line, right.column
            )
        }
        guard diagnostics.allSatisfy({ $0.severity == .warning }) else {
            throw ConfigurationErrors(diagnostics)
        }
        return ConfigurationFile(
            settings: validator.settings, warnings: diagnostics, unsupported: validator.unsupported)
    }
}
