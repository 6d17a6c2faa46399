// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `ldap[s]://host[:port]/base?attribute?scope?filter` (RFC 4516), as PostgreSQL's `ldapurl` takes it.
struct LDAPURL: Equatable {
    let scheme: LDAPService.Scheme
    /// Nil if it is empty.
    let host: String?
    let port: Int
    /// Nil without a slash behind the host.
    let base: String?
    /// The first one; others are not looked at.
    let attribute: String?
    let scope: LDAPService.Scope
    let filter: String?

    init(_ text: String) throws(ValueError) {
        var rest = text[...]
        let isEnclosed = rest.first == "<"
        if isEnclosed { rest = rest.dropFirst() }
        if rest.prefix(4).lowercased() == "url:" { rest = rest.dropFirst(4) }
        guard let scheme = Self.scheme(&rest) else {
            throw ValueError("ldapurl: expected ldap://… or ldaps://…")
        }
        self.scheme = scheme
        if isEnclosed {
            guard rest.last == ">" else { throw ValueError("ldapurl: the > is missing at the end") }
            rest = rest.dropLast()
        }
        // What follows a host without a slash is no base.
        let end = rest.firstIndex(of: "/")
        let place = end.map { rest[..<$0] } ?? rest.prefix { $0 != "?" }
        (host, port) = try Self.place(place, scheme)
        guard let end else {
            (base, attribute, scope, filter) = (nil, nil, .base, nil)
            return
        }
        let parts = rest[rest.index(after: end)...].split(
            separator: "?", maxSplits: 4, omittingEmptySubsequences: false)
        func part(_ index: Int) -> String? {
            index < parts.count && !parts[index].isEmpty ? Self.unescaped(parts[index]) : nil
        }
        base = part(0) ?? ""
        attribute = part(1)?.split(separator: ",").first.map { String($0) }
        scope = try part(2).map { word throws(ValueError) in try Self.scope(word) } ?? .base
        filter = part(3)
        if filter == "" { throw ValueError("ldapurl: the filter cannot be read") }
        if parts.count == 5 {
            guard parts[4].contains(where: { $0 != "," }), !parts[4].contains("?") else {
                throw ValueError("ldapurl: expected an extension behind the last ?")
            }
        }
    }

    private static func scheme(_ rest: inout Substring) -> LDAPService.Scheme? {
        for scheme in LDAPService.Scheme.allCases {
            let head = "\(scheme.rawValue)://"
            guard rest.prefix(head.count).lowercased() == head else { continue }
            rest = rest.dropFirst(head.count)
            return scheme
        }
        return nil
    }

    private static func place(_ text: Substring, _ scheme: LDAPService.Scheme) throws(ValueError)
        -> (host: String?, port: Int)
    {
        let standard = scheme == .ldaps ? 636 : 389
        var (host, behind) = (text, text[text.endIndex...])
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw ValueError("ldapurl: the ] is missing") }
            host = text[text.index(after: text.startIndex)..<end]
            behind = text[text.index(after: end)...]
        }
        var digits: Substring?
        if text.first == "[" {
            digits = behind.firstIndex(of: ":").map { behind[behind.index(after: $0)...] }
            guard digits == nil || behind.first == ":" else { throw ValueError("ldapurl: text behind the ]") }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            digits = text[text.index(after: colon)...]
        }
        let name = unescaped(host)
        guard let digits else { return (name.isEmpty ? nil : name, standard) }
        let port = LDAPOptions.number(unescaped(digits))
        // It is not repeated: where somebody has put a password in front of the host, this is it.
        guard port.isWhole else { throw ValueError("ldapurl: expected a port behind the host's colon") }
        return (name.isEmpty ? nil : name, port.value == 0 ? standard : port.value)
    }

    private static func scope(_ word: String) throws(ValueError) -> LDAPService.Scope {
        switch word.lowercased() {
        case "base": return .base
        case "one", "onelevel": return .one
        case "sub", "subtree": return .sub
        case "children", "subord", "subordinate": return .children
        default:
            throw ValueError("ldapurl: scope \(quoted(word)); allowed: base, one, sub, children")
        }
    }

    /// With `%xx` read as bytes, up to one that is zero; nothing at all if one is no such number.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let value = digits.hexadecimalValue else { return "" }
            rest = rest.dropFirst(2)
            if value == 0 { break }
            bytes.append(value)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Puts all of it into a service; what it does not say is as before, but for the scope.
    func set(in service: inout LDAPService) {
        service.scheme = scheme
        service.servers = host ?? service.servers
        service.port = port
        service.base = base ?? service.base
        service.searchAttribute = attribute ?? service.searchAttribute
        service.scope = scope
        service.searchFilter = filter ?? service.searchFilter
    }
}

extension ArraySlice<UInt8> {
    /// Of digits in any case.
    fileprivate var hexadecimalValue: UInt8? {
        let text = String(decoding: self, as: UTF8.self)
        return text.utf8.count == count && text.allSatisfy(\.isHexDigit) && text.allSatisfy(\.isASCII)
            ? UInt8(text, radix: 16) : nil
    }
}
