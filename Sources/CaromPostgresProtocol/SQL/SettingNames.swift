// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Finds names of settings in the text of statements.
package enum SettingNames {
    /// How many names are looked for in a text.
    package static let most = 32

    /// Every name with a dot in it, wherever it stands: custom settings have such names, and PostgreSQL's own list of settings leaves
    /// them out. Tables and columns have them too, which does no harm.
    ///
    /// - Returns: at most ``most`` of them.
    package static func custom(in text: RawSpan) -> [String] {
        var found: [String] = []
        var start: Int?
        var hasDot = false
        let count = text.byteCount
        var offset = 0
        while offset <= count, found.count < most {
            let byte = offset < count ? text.unsafeLoad(fromByteOffset: offset, as: UInt8.self) : 0
            if isLetter(byte) || isDigit(byte) && start != nil {
                if start == nil { start = offset }
            } else if byte == UInt8(ascii: "."), start != nil {
                hasDot = true
            } else if byte == UInt8(ascii: "\""), start != nil || offset + 1 < count {
                // "my"."setting" is the same name.
            } else {
                if hasDot, let start { add(text, start..<offset, to: &found) }
                start = nil
                hasDot = false
            }
            offset += 1
        }
        return found
    }

    private static func add(_ text: RawSpan, _ range: Range<Int>, to found: inout [String]) {
        let bytes = text.array(range).filter { $0 != UInt8(ascii: "\"") }
        let name = String(decoding: bytes, as: UTF8.self)
        if SettingStatement.isName(name), !found.contains(name) { found.append(name) }
    }

    /// The setting that a lone `RESET x`, `SET x TO DEFAULT` or `SET x = DEFAULT` takes back; nil for everything else.
    package static func reset(by text: RawSpan) -> String? {
        guard text.byteCount < 200, let whole = text.text(0..<text.byteCount) else { return nil }
        var words: [Substring] = []
        for word in whole.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == ";" }) {
            words.append(word)
        }
        guard whole.utf8.last(where: { $0 != 0x20 && $0 != 0x3b && $0 != 0x0a }) != nil,
            whole.split(separator: ";", omittingEmptySubsequences: true).count(where: {
                !$0.allSatisfy(\.isWhitespace)
            }) == 1
        else { return nil }
        if words.first?.lowercased() == "reset" {
            words.removeFirst()
            return target(words, lead: "")
        }
        guard words.first?.lowercased() == "set" else { return nil }
        words.removeFirst()
        if words.first?.lowercased() == "session" { words.removeFirst() }
        guard words.last?.lowercased() == "default" else { return nil }
        words.removeLast()
        guard words.last?.lowercased() == "to" || words.last == "=" else { return nil }
        words.removeLast()
        return target(words, lead: "set")
    }

    private static func target(_ words: [Substring], lead: String) -> String? {
        guard words.count == 1, let word = words.first else { return nil }
        let name = String(word).filter { $0 != "\"" }
        return others.contains(name.lowercased()) || !SettingStatement.isName(name) ? nil : name
    }

    /// Names that mean something else: everything, who the session is, and PostgreSQL's old names of other settings.
    private static let others = ["all", "session_authorization", "sort_mem", "vacuum_mem"]

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == UInt8(ascii: "_")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || byte == UInt8(ascii: "$")
    }
}
