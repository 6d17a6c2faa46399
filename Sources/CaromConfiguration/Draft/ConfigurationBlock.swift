// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A block as it was found: what it says, and where each thing was said, for the checks that come after reading.
package struct ConfigurationBlock<Scope> {
    package var value: Scope
    /// Where the block begins.
    package let position: ConfigurationPosition
    /// Where each directive was given, by its name.
    package private(set) var given: [String: ConfigurationPosition] = [:]
    /// Something in it could not be read; what seems missing may only be misspelled.
    package var isDamaged = false

    package init(_ value: Scope, at position: ConfigurationPosition) {
        self.value = value
        self.position = position
    }

    /// Notes where something was given. Where it was given before, that place stays and is returned.
    mutating func note(_ name: String, at position: ConfigurationPosition) -> ConfigurationPosition? {
        if let first = given[name] { return first }
        given[name] = position
        return nil
    }
}

extension ConfigurationBlock: Sendable where Scope: Sendable {}

extension ConfigurationBlock where Scope: ConfigurationScope {
    /// Sets a directive by its name.
    ///
    /// - Returns: whether there is such a directive; if not, nothing has happened, and what to say is the grammar's choice.
    package mutating func set(
        _ name: String, to value: ConfigurationValue, at position: ConfigurationPosition,
        findings: inout ConfigurationFindings
    ) -> Bool {
        guard let directive = Scope.directives[name] else { return false }
        if let first = note(directive.key, at: position) {
            isDamaged = true
            findings.report(position, "duplicate directive '\(name)'; it was given at \(first)")
            return true
        }
        do {
            try directive.read(value, &self.value)
            if directive.isIgnored { findings.warn(position, "'\(name)' has no effect") }
        } catch {
            isDamaged = true
            findings.report(value.position, "\(name): \(error.message)", hint: error.hint)
        }
        return true
    }
}

extension ConfigurationBlock<RouteSettings> {
    /// Adds a parameter to `options` or `backend_startup_options`.
    ///
    /// - Parameter section: which of them, as messages call it.
    package mutating func addParameter(
        _ parameter: SessionParameter, to path: WritableKeyPath<RouteSettings, [SessionParameter]>,
        section: String, at position: ConfigurationPosition, findings: inout ConfigurationFindings
    ) {
        if let objection = Self.objection(to: parameter.name, among: value[keyPath: path]) {
            findings.report(position, "\(section): \(objection)")
            isDamaged = true
        } else {
            value[keyPath: path].append(parameter)
        }
    }

    /// Why a parameter of this name cannot be set; `nil` if it can.
    private static func objection(to name: String, among others: [SessionParameter]) -> String? {
        // PostgreSQL compares the names of its settings without regard to case.
        let plain = name.lowercased()
        if name.isEmpty { return "a parameter needs a name" }
        if others.contains(where: { $0.name.lowercased() == plain }) {
            return "duplicate parameter \(quoted(name))"
        }
        switch plain {
        case "user", "database", "replication":
            return "\(quoted(name)) is not a parameter; storage_user and storage_db say who logs in where"
        case _ where plain.hasPrefix("_pq_."):
            return "\(quoted(name)) belongs to the protocol and cannot be set"
        default:
            return nil
        }
    }
}
