// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A place in a configuration file; lines and columns count from 1, columns in characters.
package struct ConfigurationPosition: Hashable, Sendable, CustomStringConvertible {
    /// The file as it was named on the command line or by an `include`.
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(file):\(line):\(column)" }
}

/// One finding about a configuration: `file:line:column: error: text`, and a second line `hint: …` where one helps.
package struct ConfigurationDiagnostic: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable {
        /// The configuration cannot be used.
        case error
        /// The configuration can be used, but something in it does nothing or is probably not meant.
        case warning
    }

    package var severity: Severity
    package var position: ConfigurationPosition
    package var message: String
    package var hint: String?

    package init(
        _ severity: Severity, at position: ConfigurationPosition, _ message: String, hint: String? = nil
    ) {
        self.severity = severity
        self.position = position
        self.message = message
        self.hint = hint
    }

    package var description: String {
        let first = "\(position): \(severity.rawValue): \(message)"
        return hint.map { "\(first)\nhint: \($0)" } ?? first
    }
}

/// Why a configuration cannot be used: everything found in it, in file order, warnings included.
package struct ConfigurationErrors: Error, Equatable, CustomStringConvertible {
    /// At least one of them is an error.
    package let diagnostics: [ConfigurationDiagnostic]

    package init(_ diagnostics: [ConfigurationDiagnostic]) {
        self.diagnostics = diagnostics
    }

    package var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}
