// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Settings by which PostgreSQL reads a text when it is parsed. What the text means is fixed then; it stays so when they change.
///
/// Characters are converted, strings end where they end, literals become values of their types (`'01/02/2020'::date`): PostgreSQL
/// documentation, "Client Connection Defaults", "Version and Platform Compatibility". When the search path changes, PostgreSQL looks
/// names up again, and literals with them (its plan cache).
struct TextSettings: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    /// What bytes beyond ASCII are.
    static let encoding = TextSettings(rawValue: 1 << 0)
    /// What a backslash is.
    static let backslashes = TextSettings(rawValue: 1 << 1)
    /// What a literal is as a value of its type.
    static let literals = TextSettings(rawValue: 1 << 2)
    /// What `= NULL` is.
    static let nulls = TextSettings(rawValue: 1 << 3)
    /// Where tables are looked for.
    static let path = TextSettings(rawValue: 1 << 4)
    static let all: TextSettings = [.encoding, .backslashes, .literals, .nulls, .path]

    private static let names: [(TextSettings, name: String)] = [
        (.encoding, "client_encoding"), (.backslashes, "standard_conforming_strings"),
        (.backslashes, "backslash_quote"), (.literals, "array_nulls"), (.literals, "datestyle"),
        (.literals, "intervalstyle"), (.literals, "lc_monetary"), (.literals, "timezone"),
        (.literals, "timezone_abbreviations"), (.literals, "xmloption"), (.nulls, "transform_null_equals"),
        (.path, "search_path"),
    ]

    /// What a statement that changes one of them has in its text, in lower case. `SET TIME ZONE`, `SET NAMES`, `SET SCHEMA` and
    /// `SET XML OPTION` do, too.
    private static let words: [(TextSettings, word: [UInt8])] = [
        (.encoding, "client_encoding"), (.encoding, "names"), (.backslashes, "standard_conforming"),
        (.backslashes, "backslash_quote"), (.literals, "array_nulls"), (.literals, "datestyle"),
        (.literals, "intervalstyle"), (.literals, "lc_monetary"), (.literals, "zone"), (.literals, "xml"),
        (.nulls, "transform_null"), (.path, "search_path"), (.path, "schema"),
    ].map { ($0, Array($1.utf8)) }

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Those that matter to a text.
    init(mattering text: RawSpan) {
        var found = TextSettings.nulls
        for offset in text.byteOffsets {
            switch text.unsafeLoad(fromByteOffset: offset, as: UInt8.self) {
            case 0x80...: found.insert(.encoding)
            case UInt8(ascii: "\\"): found.insert(.backslashes)
            case UInt8(ascii: "'"): found.insert(.literals)
            case UInt8(ascii: "$"):
                // Not a parameter, so perhaps a string in dollars.
                let next = offset + 1
                let isDigit =
                    next < text.byteCount
                    && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(
                        text.unsafeLoad(fromByteOffset: next, as: UInt8.self))
                if !isDigit { found.insert(.literals) }
            default: break
            }
        }
        self = found
    }

    /// Those that a statement may change, by the names in its text.
    init(namedIn text: RawSpan) {
        var found: TextSettings = []
        for (settings, word) in Self.words where !found.isSuperset(of: settings) {
            if Self.contains(text, word) { found.formUnion(settings) }
        }
        self = found
    }

    private static func contains(_ text: RawSpan, _ word: [UInt8]) -> Bool {
        var start = 0
        while start + word.count <= text.byteCount {
            var length = 0
            while length < word.count,
                text.unsafeLoad(fromByteOffset: start + length, as: UInt8.self).lowercased == word[length]
            {
                length += 1
            }
            if length == word.count { return true }
            start += 1
        }
        return false
    }

    /// These settings, of a table.
    func values(in table: SettingValues) -> SettingValues {
        var values = SettingValues()
        for (settings, name) in Self.names where contains(settings) {
            if let value = table[name] { values.set(name, to: value) }
        }
        return values
    }

    // MARK: Reading a text again

    /// What is set before a text is parsed, so that it is read as it was, and what is set behind it.
    struct Detour: Equatable {
        var there: [[UInt8]] = []
        var back: [[UInt8]] = []
    }

    /// The way from settings that are known to those of a text's Parse.
    func detour(to then: SettingValues, from now: SettingValues) -> Detour {
        let (there, here) = (values(in: then), values(in: now))
        return Detour(there: there.statements(from: here), back: here.statements(from: there))
    }

    /// The way from settings that are not known, within a transaction block: PostgreSQL itself knows the way back.
    ///
    /// - Parameter open: these may have changed since `now`.
    func detourInBlock(to then: SettingValues, from now: SettingValues, open: TextSettings) -> Detour {
        let there = values(in: then)
        var here = values(in: now)
        for (settings, name) in Self.names where intersection(open).contains(settings) {
            // No such value: it is set, or taken back, in any case.
            here.set(name, to: "?")
        }
        return Detour(
            there: [Array("SAVEPOINT carom".utf8)] + there.statements(from: here),
            back: ["ROLLBACK TO SAVEPOINT carom", "RELEASE SAVEPOINT carom"].map { Array($0.utf8) })
    }
}

extension UInt8 {
    /// ASCII letters in lower case.
    fileprivate var lowercased: UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self
    }
}

/// The settings under which a text has its meaning, for texts that are shared.
final class TextMeaning: Sendable {
    /// Tells these settings from others.
    let key: [UInt8]
    /// The ``TextSettings`` among them.
    let settings: SettingValues

    init(_ wishes: SettingValues) {
        var key: [UInt8] = []
        // The name of the program does not matter.
        wishes.appendKey(omitting: "application_name", into: &key)
        self.key = key
        settings = TextSettings.all.values(in: wishes)
    }
}
