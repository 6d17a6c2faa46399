// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether texts can mean something to a server of LDAP: what cannot is found before somebody wants to log in. What OpenLDAP's library takes is
/// taken, also where the standards are stricter.
enum LDAPSyntax {
    /// An address, or a name of letters, digits, `-` and `_` between its dots (RFC 1123, and what is done).
    static func isHost(_ text: String) -> Bool {
        var address = in6_addr()
        if text.contains(":") { return inet_pton(AF_INET6, text, &address) == 1 }
        if text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || isDigit($0) }) {
            return inet_pton(AF_INET, text, &address) == 1
        }
        let name = text.last == "." ? text.dropLast() : text[...]
        return name.utf8.count < 254
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && label.utf8.count < 64 && label.first != "-"
                    && label.utf8.allSatisfy { isLetterOrDigit($0) || $0 >= 0x80 || "-_".utf8.contains($0) }
            }
    }

    /// The description of an attribute: a name or an OID, with options behind semicolons (RFC 4512, 2.5).
    static func isAttribute(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        guard let type = parts.first, let first = type.utf8.first else { return false }
        let isType =
            isDigit(first)
            ? type.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { number in
                !number.isEmpty && number.utf8.allSatisfy(isDigit)
            } : isLetterOrDigit(first) && type.utf8.allSatisfy(isKeyByte)
        return isType && parts.dropFirst().allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isKeyByte) }
    }

    /// A distinguished name: nothing, or `attribute=value` between its commas (RFC 4514, and the quotes of RFC 1779).
    static func isName(_ text: String) -> Bool {
        if text.utf8.allSatisfy(isBlank) { return true }
        var part: [UInt8] = []
        var (isEscaped, isQuoted) = (false, false)
        for byte in text.utf8 {
            if !isEscaped, !isQuoted, ",;+".utf8.contains(byte) {
                guard isNamePart(part) else { return false }
                part = []
                continue
            }
            part.append(byte)
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        return !isEscaped && !isQuoted && isNamePart(part)
    }

    private static func isNamePart(_ part: [UInt8]) -> Bool {
        guard let sign = part.firstIndex(of: UInt8(ascii: "=")) else { return false }
        var type = trimmed(part[..<sign])
        if type.lowercased().hasPrefix("oid.") { type = String(type.dropFirst(4)) }
        return isAttribute(type)
    }

    /// A filter (RFC 4515); around one comparison alone the parentheses may be missing.
    static func isFilter(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        skipBlanks(&rest)
        let isOne =
            rest.first == UInt8(ascii: "(") ? isFilter(&rest, depth: 0) : isComparison(&rest)
        skipBlanks(&rest)
        return isOne && rest.isEmpty
    }

    private static func isFilter(_ rest: inout ArraySlice<UInt8>, depth: Int) -> Bool {
        // More than servers take (OpenLDAP: 1,000), less than a thread's stack.
        guard depth < 1000, rest.popFirst() == UInt8(ascii: "(") else { return false }
        skipBlanks(&rest)
        switch rest.first {
        case UInt8(ascii: "&"), UInt8(ascii: "|"):
            rest.removeFirst()
            skipBlanks(&rest)
            while rest.first == UInt8(ascii: "(") {
                guard isFilter(&rest, depth: depth + 1) else { return false }
                skipBlanks(&rest)
            }
        case UInt8(ascii: "!"):
            rest.removeFirst()
            skipBlanks(&rest)
            guard isFilter(&rest, depth: depth + 1) else { return false }
            skipBlanks(&rest)
        default:
            guard isComparison(&rest) else { return false }
        }
        return rest.popFirst() == UInt8(ascii: ")")
    }

    /// Up to the parenthesis that ends it.
    private static func isComparison(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let type = rest.prefix { !"=()".utf8.contains($0) }
        rest = rest[type.endIndex...]
        guard rest.popFirst() == UInt8(ascii: "=") else { return false }
        while let byte = rest.first, byte != UInt8(ascii: ")") {
            rest.removeFirst()
            if byte == UInt8(ascii: "(") { return false }
            guard byte == UInt8(ascii: "\\") else { continue }
            // A byte by its two digits, or one of those that would mean something else.
            let digits = rest.prefix(2)
            let isByte = digits.count == 2 && digits.allSatisfy(isHexadecimal)
            guard isByte || rest.first.map({ "()*\\".utf8.contains($0) }) == true else { return false }
            rest.removeFirst()
        }
        return isComparedType(type)
    }

    /// What stands in front of the sign: with `~`, `<` or `>` of an operator, or with a rule between colons.
    private static func isComparedType(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let last = bytes.last else { return false }
        if last == UInt8(ascii: ":") { return bytes.count > 1 }
        let type = "~<>".utf8.contains(last) ? bytes.dropLast() : bytes
        return isAttribute(trimmed(type))
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        let begin = bytes.drop(while: isBlank)
        return String(decoding: begin.reversed().drop(while: isBlank).reversed(), as: UTF8.self)
    }

    private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) { rest = rest.drop(while: isBlank) }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || 9...13 ~= byte }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte == UInt8(ascii: "-")
    }
}
