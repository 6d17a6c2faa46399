// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a grammar has read: blocks, where each thing was said, and what is wrong with it so far.
///
/// A grammar is a front end that fills a draft and knows nothing else: it sets values with ``ConfigurationBlock`` and
/// reports its own mistakes here. What depends on more than one value is checked by ``checked(loadingFiles:)`` for every grammar alike.
package struct ConfigurationDraft: Sendable {
    /// Directives outside of any block.
    package var top: ConfigurationBlock<Settings>
    /// In the order of the file, as all others.
    package var listeners: [ConfigurationBlock<ListenSettings>] = []
    package var resolvers: [ConfigurationBlock<ResolverSettings>] = []
    package var storages: [ConfigurationBlock<StorageSettings>] = []
    package var sharedPools: [ConfigurationBlock<SharedPoolSettings>] = []
    package var peers: [ConfigurationBlock<PeerSettings>] = []
    package var ldapEndpoints: [ConfigurationBlock<LDAPEndpointSettings>] = []
    package var routes: [ConfigurationBlock<RouteSettings>] = []
    /// What was found while reading.
    package var findings = ConfigurationFindings()
    /// All files, in the order they were opened: the order of the diagnostics.
    package var files: [String]

    /// - Parameter file: what diagnostics call the file.
    package init(file: String) {
        files = [file]
        top = ConfigurationBlock(Settings(), at: ConfigurationPosition(file: file, line: 1, column: 1))
    }

    /// The settings, if nothing is wrong with them.
    ///
    /// - Parameter loadingFiles: the files that the settings name, certificates and keys, are looked at, too.
    /// - Throws: every mistake found, in the order of the files, warnings included.
    package func checked(loadingFiles: Bool = false) throws(ConfigurationErrors) -> ConfigurationFile {
        var validator = ConfigurationValidator(self, loadsFiles: loadingFiles)
        validator.run()
        let order = Dictionary(files.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let diagnostics = validator.findings.diagnostics.sorted {
            let (left, right) = ($0.position, $1.position)
            return (order[left.file] ?? 0, left.line, left.column) < (
                order[right.file] ?? 0, right.line, right.column
            )
        }
        guard diagnostics.allSatisfy({ $0.severity == .warning }) else {
            throw ConfigurationErrors(diagnostics)
        }
        return ConfigurationFile(settings: validator.settings, warnings: diagnostics)
    }
}

/// Mistakes and warnings, as they are found.
package struct ConfigurationFindings: Sendable {
    package private(set) var diagnostics: [ConfigurationDiagnostic] = []

    package init() {}

    /// Whether nothing worse than a warning was found.
    var hasNoError: Bool { diagnostics.allSatisfy { $0.severity == .warning } }

    /// Adds an error.
    package mutating func report(
        _ position: ConfigurationPosition, _ message: String, hint: String? = nil
    ) {
        diagnostics.append(ConfigurationDiagnostic(.error, at: position, message, hint: hint))
    }

    /// Adds a warning.
    package mutating func warn(_ position: ConfigurationPosition, _ message: String) {
        diagnostics.append(ConfigurationDiagnostic(.warning, at: position, message))
    }

    /// Adds what a lexer has found.
    package mutating func append(_ more: [ConfigurationDiagnostic]) { diagnostics += more }
}
