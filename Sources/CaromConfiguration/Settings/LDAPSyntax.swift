// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether texts can mean something to a server of LDAP: what cannot is found before somebody wants to log in.
enum LDAPSyntax {
    /// An address, or a name of letters, digits, `-`, `_` and dots.
    static func isHost(_ text: String) -> Bool {
        var address = in6_addr()
        if text.contains(":") { return inet_pton(AF_INET6, text, &address) == 1 }
        return !text.isEmpty
            && text.utf8.allSatisfy { isLetterOrDigit($0) || $0 >= 0x80 || "-_.".utf8.contains($0) }
    }

    /// The description of an attribute: a name or an OID, with options behind semicolons (RFC 4512, 2.5).
    static func isAttribute(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || "-;.".utf8.contains($0) }
    }

    /// A distinguished name: nothing, or `name=value` between its commas (RFC 4514).
    static func isName(_ text: String) -> Bool {
        if text.isEmpty { return true }
        var (isEscaped, hasSign) = (false, false)
        for byte in text.utf8 {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: "="): hasSign = true
            case UInt8(ascii: ","), UInt8(ascii: ";"):
                if !hasSign { return false }
                hasSign = false
            default: break
            }
        }
        return hasSign && !isEscaped
    }

    /// A filter (RFC 4515); of one comparison alone the parentheses may be missing.
    static func isFilter(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        if rest.first != UInt8(ascii: "(") { return isComparison(&rest) && rest.isEmpty }
        return isFilter(&rest, depth: 0) && rest.isEmpty
    }

    private static func isFilter(_ rest: inout ArraySlice<UInt8>, depth: Int) -> Bool {
        // Servers have limits of their own, and lower ones.
        guard depth < 100, rest.popFirst() == UInt8(ascii: "(") else { return false }
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
            guard isFilter(&rest, depth: depth + 1) else { return false }
        default:
            guard isComparison(&rest) else { return false }
        }
        return rest.popFirst() == UInt8(ascii: ")")
    }

    /// Up to the parenthesis that ends it.
    private static func isComparison(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let text = rest.prefix { $0 != UInt8(ascii: "(") && $0 != UInt8(ascii: ")") }
        rest = rest[text.endIndex...]
        guard let sign = text.firstIndex(of: UInt8(ascii: "=")) else { return false }
        return sign > text.startIndex
    }

    private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
        rest = rest.drop { $0 == UInt8(ascii: " ") }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
