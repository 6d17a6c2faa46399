// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Writes `SET` statements that are pure ASCII, so that they mean the same in every client encoding and under
/// every setting of `standard_conforming_strings`.
package enum SettingStatement {
    /// `SET name='value';`
    ///
    /// A list of identifiers (`search_path`) is set by a function instead, which takes it as a startup packet does: as it is spelt.
    static func append(_ name: String, to value: String, into bytes: inout [UInt8]) {
        if isIdentifierList(name) {
            bytes.append(contentsOf: "SELECT pg_catalog.set_config('".utf8)
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: "',".utf8)
            appendLiteral(value, into: &bytes)
            bytes.append(contentsOf: ",false);".utf8)
            return
        }
        bytes.append(contentsOf: "SET ".utf8)
        appendName(name, into: &bytes)
        bytes.append(UInt8(ascii: "="))
        appendLiteral(value, into: &bytes)
        bytes.append(UInt8(ascii: ";"))
    }

    /// `RESET name;`
    static func appendReset(_ name: String, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "RESET ".utf8)
        appendName(name, into: &bytes)
        bytes.append(UInt8(ascii: ";"))
    }

    /// Settings whose value is a list of identifiers, each of which is quoted by itself: all that a session can change and that
    /// PostgreSQL marks so (`GUC_LIST_QUOTE`).
    private static func isIdentifierList(_ name: String) -> Bool {
        let lists = [
            "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
        ]
        return lists.contains { name.utf8.count == $0.utf8.count && name.lowercased() == $0 }
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

    /// A name whose parts are quoted if there are several: the second may be a reserved word.
    private static func appendName(_ name: String, into bytes: inout [UInt8]) {
        precondition(isName(name), "Names of settings are checked where they come in.")
        let parts = name.utf8.split(separator: UInt8(ascii: "."))
        if parts.count == 1 { return bytes.append(contentsOf: name.utf8) }
        for (index, part) in parts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ".")) }
            bytes.append(UInt8(ascii: "\""))
            bytes.append(contentsOf: part)
            bytes.append(UInt8(ascii: "\""))
        }
    }

    /// A string literal in ASCII: `'…'` where that is enough, else `E'…'` with `\\`, `\uXXXX` and
    /// `\UXXXXXXXX`.
    ///
    /// The escapes are not decoration: in some client encodings (SJIS, BIG5, GBK) the second byte of a
    /// character can be a backslash, and raw bytes of one encoding read in another can swallow the closing
    /// quote.
    package static func appendLiteral(_ value: String, into bytes: inout [UInt8]) {
        let needsEscapes = value.utf8.contains { $0 >= 0x7f || $0 < 0x20 || $0 == UInt8(ascii: "\\") }
        bytes.append(contentsOf: needsEscapes ? "E'".utf8 : "'".utf8)
        for scalar in value.unicodeScalars {
            switch scalar.value {
            case 0x27: bytes.append(contentsOf: "''".utf8)
            case 0x5c: bytes.append(contentsOf: "\\\\".utf8)
            case 0x20...0x7e: bytes.append(UInt8(scalar.value))
            case 0...0xffff: appendEscape("\\u", scalar.value, digits: 4, into: &bytes)
            default: appendEscape("\\U", scalar.value, digits: 8, into: &bytes)
            }
        }
        bytes.append(UInt8(ascii: "'"))
    }

    private static func appendEscape(
        _ prefix: String, _ value: UInt32, digits: Int, into bytes: inout [UInt8]
    ) {
        bytes.append(contentsOf: prefix.utf8)
        for place in (0..<digits).reversed() {
            let digit = UInt8(truncatingIfNeeded: value >> UInt32(4 * place)) & 15
            bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}
