// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The list of session settings that are kept per client and carried from server to server.
///
/// One immutable list serves all sessions of a route, which is what makes their tables cheap to compare.
package final class TrackedParameters: Sendable {
    /// How a setting is brought to another server.
    package enum Form: Equatable, Sendable {
        /// `SET name = 'value'`.
        case literal
        /// `SET name = 'first', 'second'`: a list of identifiers, each of which is quoted by itself
        /// (search_path).
        case identifierList
        /// It cannot be set; it is only passed on to the client.
        case never
    }

    /// One setting.
    package struct Entry: Equatable, Sendable {
        /// As PostgreSQL spells it.
        package let name: String
        package let form: Form
    }

    package let entries: [Entry]
    private let slots: [String: Int]

    /// The settings PostgreSQL reports by itself, and `extra` ones. Names that are no setting names are left
    /// out; which is for the configuration to find (`isName`). PostgreSQL does not report extra ones, so only
    /// what clients ask for at start-up is known of them.
    package init(extra: [String] = []) {
        var entries = Self.reported
        var slots: [String: Int] = [:]
        for (slot, entry) in entries.enumerated() { slots[Self.key(entry.name)] = slot }
        for name in extra where Self.isName(name) && slots[Self.key(name)] == nil {
            slots[Self.key(name)] = entries.count
            entries.append(Entry(name: name, form: .literal))
        }
        self.entries = entries
        self.slots = slots
    }

    /// What PostgreSQL 18 reports (`GUC_REPORT`). The session's user comes first, because setting it undoes
    /// others.
    private static let reported: [Entry] = [
        Entry(name: "session_authorization", form: .literal),
        Entry(name: "client_encoding", form: .literal),
        Entry(name: "application_name", form: .literal),
        Entry(name: "DateStyle", form: .literal),
        Entry(name: "default_transaction_read_only", form: .literal),
        Entry(name: "IntervalStyle", form: .literal),
        Entry(name: "scram_iterations", form: .literal),
        Entry(name: "search_path", form: .identifierList),
        Entry(name: "standard_conforming_strings", form: .literal),
        Entry(name: "TimeZone", form: .literal),
        Entry(name: "in_hot_standby", form: .never),
        Entry(name: "integer_datetimes", form: .never),
        Entry(name: "is_superuser", form: .never),
        Entry(name: "server_encoding", form: .never),
        Entry(name: "server_version", form: .never),
    ]

    /// The settings PostgreSQL reports by itself.
    package static let standard = TrackedParameters()

    /// Place of a setting in every table, or nil if it is not kept. Case does not matter.
    package func slot(of name: String) -> Int? {
        slots[name] ?? slots[Self.key(name)]
    }

    /// PostgreSQL compares setting names without regard to ASCII case only.
    private static func key(_ name: String) -> String {
        String(decoding: name.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// Whether this can be the name of a setting: identifiers of ASCII letters, digits, `_` and `$`, joined
    /// by dots, at most 63 bytes.
    package static func isName(_ name: String) -> Bool {
        guard (1...63).contains(name.utf8.count) else { return false }
        return name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
            guard let first = $0.first, isLetter(first) else { return false }
            return $0.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "$") }
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_")
    }
}
