// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The statements of the client API that a server session keeps prepared, by their texts: a pure book of names.
///
/// As many as are allowed are kept, those used last. A statement that goes is closed at the server with the next request.
struct StatementCache: Sendable {
    private struct Key: Hashable {
        var sql: String
        var types: [PostgresType]
    }
    private struct Entry {
        var name: String
        var usedAt: Int
    }

    /// How a request uses a statement.
    struct Use: Equatable, Sendable {
        /// The statement's name at the server.
        let name: String
        /// The server does not have it yet.
        let mustParse: Bool
        /// Names that the server may forget, before anything else.
        let closes: [String]
    }

    private var entries: [Key: Entry] = [:]
    /// Names to be closed with the next request.
    private var closing: [String] = []
    /// Counts uses, and makes names that were never used before.
    private var clock = 0

    /// How many statements the server has, as far as is known.
    var count: Int { entries.count }

    /// Looks a statement up, or makes room for it; nil for one that is not worth it.
    mutating func use(_ sql: String, types: [PostgresType], limit: Int) -> Use? {
        guard limit > 0, Self.isWorthKeeping(sql) else { return nil }
        let key = Key(sql: sql, types: types)
        clock += 1
        defer { closing = [] }
        if let entry = entries[key] {
            entries[key]?.usedAt = clock
            return Use(name: entry.name, mustParse: false, closes: closing)
        }
        while entries.count >= limit, let oldest = entries.min(by: { $0.value.usedAt < $1.value.usedAt }) {
            entries[oldest.key] = nil
            closing.append(oldest.value.name)
        }
        let name = "carom_client_\(clock)"
        entries[key] = Entry(name: name, usedAt: clock)
        return Use(name: name, mustParse: true, closes: closing)
    }

    /// The server does not have the statement, or an outdated one, or it is not known whether it does.
    mutating func forget(_ name: String) {
        guard let key = entries.first(where: { $0.value.name == name })?.key else { return }
        entries[key] = nil
        // To close what is not there is no error.
        closing.append(name)
    }

    /// The server has forgotten all statements.
    mutating func removeAll() {
        entries = [:]
        closing = []
    }

    /// Only what is planned gains, and what is very long would take more memory than it saves time.
    static func isWorthKeeping(_ sql: String) -> Bool {
        guard sql.utf8.count <= 16_384 else { return false }
        let start = sql.utf8.drop { [0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "(")].contains($0) }
        let word = start.prefix { (0x41...0x5A).contains($0 & 0xDF) }.map { $0 | 0x20 }
        return planned.contains(word)
    }

    private static let planned = Set(
        ["select", "insert", "update", "delete", "merge", "with", "values", "table"].map { Array($0.utf8) })
}
