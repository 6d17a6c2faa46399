// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Settings of a session with their values: those that a client asked for, those that were set in a server's session, or those that
/// a server reports.
///
/// What is not in the table has the server's default. Tables that were assigned from one another compare at once.
package struct SettingValues: Sendable, Hashable {
    private struct Entry: Sendable, Hashable {
        /// The name in lower case, by which entries are sorted: PostgreSQL compares names without regard to ASCII case only.
        let key: String
        /// As it was spelt first.
        let name: String
        var value: String
    }

    private var entries: [Entry] = []

    /// No settings.
    package init() {}

    /// The settings of the list; of several with one name the last counts.
    package init(_ settings: some Sequence<StartupParameter>) {
        for setting in settings { set(setting.name, to: setting.value) }
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// The value, or nil where the server's default applies.
    package subscript(name: String) -> String? {
        let (place, isThere) = place(of: Self.key(name))
        return isThere ? entries[place].value : nil
    }

    /// Notes a value. False for one with a zero byte, which no setting has.
    @discardableResult
    package mutating func set(_ name: String, to value: String) -> Bool {
        if value.utf8.contains(0) { return false }
        let key = Self.key(name)
        let (place, isThere) = place(of: key)
        if !isThere {
            entries.insert(Entry(key: key, name: name, value: value), at: place)
        } else if entries[place].value != value {
            entries[place].value = value
        }
        return true
    }

    /// Forgets a value: the server's default applies.
    package mutating func remove(_ name: String) {
        let (place, isThere) = place(of: Self.key(name))
        if isThere { entries.remove(at: place) }
    }

    /// Everything in the table, sorted by name.
    package var all: [StartupParameter] { entries.map { StartupParameter($0.name, $0.value) } }

    /// Adds those settings of another table that this one does not have.
    package mutating func fill(from other: SettingValues) {
        for entry in other.entries where self[entry.name] == nil { set(entry.name, to: entry.value) }
    }

    /// Those of these settings that another table does not have, or has with another value.
    package func differences(from other: SettingValues) -> [StartupParameter] {
        if entries == other.entries { return [] }
        return entries.filter { other[$0.name] != $0.value }.map { StartupParameter($0.name, $0.value) }
    }

    /// Whether another table has no setting that this one lacks, and none with another value, but for those of `names`.
    package func agrees(with other: SettingValues, butFor names: SettingValues) -> Bool {
        entries.allSatisfy { names[$0.name] != nil || other[$0.name] == $0.value }
    }

    private func place(of key: String) -> (Int, isThere: Bool) {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low &+ high) / 2
            if entries[middle].key < key { low = middle &+ 1 } else { high = middle }
        }
        return (low, low < entries.count && entries[low].key == key)
    }

    private static func key(_ name: String) -> String {
        if !name.utf8.contains(where: { (0x41...0x5a).contains($0) }) { return name }
        return String(decoding: name.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}

// MARK: To a server

extension SettingValues {
    /// Setting one of these changes who the session's statements run as, and so what it may set.
    private static let user = "session_authorization"
    private static let role = "role"
    private static let dateStyle = "datestyle"
    /// It would count for the statements that set the others.
    private static let timeout = "statement_timeout"

    /// Adds the statements that bring a session in which `applied` is set to these settings, each with its terminator.
    ///
    /// Who the session runs as goes back first and is set last: the other settings are set as the user who logged in, as at the start of
    /// a session. `SET SESSION AUTHORIZATION` undoes the role. A time limit for statements holds for none of these.
    ///
    /// - Returns: how many settings differ; 0 means that nothing was added.
    package func appendStatements(from applied: SettingValues, into bytes: inout [UInt8]) -> Int {
        write(from: applied, keepsIdentity: false, into: &bytes) { _ in }
    }

    /// The same, each by itself and without its terminator.
    ///
    /// - Parameter keepsIdentity: who the session runs as is left alone if it is to stay the same: it may be so for the transaction only.
    package func statements(from applied: SettingValues, keepsIdentity: Bool = false) -> [[UInt8]] {
        var statements: [[UInt8]] = []
        var bytes: [UInt8] = []
        let count = write(from: applied, keepsIdentity: keepsIdentity, into: &bytes) {
            statements.append(Array($0.dropLast()))
            $0 = []
        }
        return count > 0 ? statements : []
    }

    /// - Parameter end: called behind each statement.
    private func write(
        from applied: SettingValues, keepsIdentity: Bool, into bytes: inout [UInt8],
        _ end: (inout [UInt8]) -> Void
    ) -> Int {
        if entries == applied.entries { return 0 }
        let start = bytes.count
        var count = 0
        let wasUser = applied[Self.user]
        let wasRole = applied[Self.role]
        let isTimed = applied[Self.timeout] != nil || self[Self.timeout] != nil
        if applied[Self.timeout] != nil {
            bytes.append(contentsOf: "SET statement_timeout TO 0;".utf8)
            end(&bytes)
        }
        let isKept = keepsIdentity && wasUser == self[Self.user] && wasRole == self[Self.role]
        if isKept {
            // The settings are set as who the session runs as.
        } else if wasUser != nil {
            bytes.append(contentsOf: "SET SESSION AUTHORIZATION DEFAULT;".utf8)
            end(&bytes)
        } else if wasRole != nil {
            bytes.append(contentsOf: "RESET ROLE;".utf8)
            end(&bytes)
        }
        for entry in applied.entries where self[entry.name] == nil {
            count += 1
            if Self.isIdentity(entry.key) || entry.key == Self.timeout { continue }
            SettingStatement.appendReset(entry.name, into: &bytes)
            end(&bytes)
        }
        for entry in entries where applied[entry.name] != entry.value {
            count += 1
            if Self.isIdentity(entry.key) || entry.key == Self.timeout { continue }
            // Half of a date style leaves the other half as it was.
            if entry.key == Self.dateStyle, applied[entry.name] != nil {
                SettingStatement.appendReset(entry.name, into: &bytes)
                end(&bytes)
            }
            SettingStatement.append(entry.name, to: entry.value, into: &bytes)
            end(&bytes)
        }
        if count == 0 {
            bytes.removeLast(max(0, bytes.count - start))
            return 0
        }
        for name in [Self.user, Self.role] where !isKept {
            guard let value = self[name] else { continue }
            SettingStatement.append(name, to: value, into: &bytes)
            end(&bytes)
        }
        if isTimed {
            if let value = self[Self.timeout] {
                SettingStatement.append(Self.timeout, to: value, into: &bytes)
            } else {
                SettingStatement.appendReset(Self.timeout, into: &bytes)
            }
            end(&bytes)
        }
        return count
    }

    private static func isIdentity(_ key: String) -> Bool { key == user || key == role }

    /// Everything here as bytes that no other table has; `omitted` is left out.
    package func appendKey(omitting omitted: String, into bytes: inout [UInt8]) {
        for entry in entries where entry.key != omitted {
            bytes.append(contentsOf: entry.key.utf8)
            bytes.append(0)
            bytes.append(contentsOf: entry.value.utf8)
            bytes.append(0)
        }
    }
}
