// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What servers of LDAP are asked about one user.
enum LDAPQuestion: Equatable {
    /// Whether it may bind by this name.
    case name(String)
    /// Which entry it is, as whom it is to bind then.
    case entry(base: String, filter: String)

    /// A user whose name would say more than a name.
    struct Refusal: Error, Equatable {
        let reason: String
    }

    init(_ service: LDAPService, about user: String) throws(Refusal) {
        guard let base = service.base else {
            self = .name(try Self.name(of: user, service.prefix ?? "", service.suffix ?? ""))
            return
        }
        // What would have to be escaped in a filter, and PostgreSQL refuses as well.
        try Self.check(user, for: "*()\\/")
        let simple = "(\(service.searchAttribute ?? "uid")=\(LDAPService.placeholder))"
        self = .entry(base: base, filter: Self.filled(service.searchFilter ?? simple, user))
    }

    /// Behind `=` the user's name is the value of an attribute, and stays one whatever is in it (RFC 4514): nobody gets to another entry by a
    /// name such as `ann,ou=admins`. Elsewhere it is no part of a distinguished name, and may not begin one.
    private static func name(of user: String, _ prefix: String, _ suffix: String) throws(Refusal) -> String {
        guard prefix.utf8.last == UInt8(ascii: "=") else {
            try check(user, for: ",;\"\\<>")
            return prefix + user + suffix
        }
        try check(user, for: "")
        return prefix + escaped(user) + suffix
    }

    private static func escaped(_ user: String) -> String {
        let bytes = Array(user.utf8)
        var result: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            let isBlankAtEdge = byte == UInt8(ascii: " ") && (index == 0 || index == bytes.count - 1)
            let isSpecial = ",+\"\\<>;=".utf8.contains(byte) || index == 0 && byte == UInt8(ascii: "#")
            if isSpecial || isBlankAtEdge { result.append(UInt8(ascii: "\\")) }
            result.append(byte)
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// By bytes: a mark that joins a character hides nothing. To directories, what controls a terminal is a blank or nothing, so that a name
    /// with a tab at its end would be that of somebody else's entry.
    private static func check(_ user: String, for characters: String) throws(Refusal) {
        if user.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || characters.utf8.contains($0) }) {
            throw Refusal(reason: "LDAP is not asked about a user with such characters in its name")
        }
    }

    private static func filled(_ filter: String, _ user: String) -> String {
        let (mark, name) = (Array(LDAPService.placeholder.utf8), Array(user.utf8))
        var result: [UInt8] = []
        var rest = Array(filter.utf8)[...]
        while let byte = rest.first {
            if rest.starts(with: mark) {
                result += name
                rest = rest.dropFirst(mark.count)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
