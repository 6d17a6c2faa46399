// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The options of PostgreSQL's method `ldap`, as `name=value` in a line of an `hba_file` or in PgBouncer's `auth_ldap_options`.
enum LDAPOptions {
    static let names = [
        "ldapserver", "ldapport", "ldapscheme", "ldaptls", "ldapprefix", "ldapsuffix", "ldapbasedn",
        "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter", "ldapurl",
    ]
    /// Behind it may be what belongs to a password, which no message repeats.
    static let secret = "ldapbindpasswd"

    /// Reads one of the names. What comes later counts.
    static func set(_ name: String, to value: String, in service: inout LDAPService) throws(ValueError) {
        // PostgreSQL's options say nothing of it but for a URL, and what stands behind one takes it back.
        service.scope = .sub
        switch name {
        case "ldapserver": service.servers = value
        case "ldapport":
            let port = number(value).value
            guard port != 0 else { throw ValueError("ldapport=\(quoted(value)) is no port") }
            service.port = port
        case "ldapscheme":
            guard let scheme = LDAPService.Scheme(rawValue: value) else {
                throw ValueError("ldapscheme=\(quoted(value)); allowed: \"ldap\", \"ldaps\"")
            }
            service.scheme = scheme
        case "ldaptls":
            // PostgreSQL takes all but 1 as no, so that whoever writes yes has passwords sent in the clear.
            guard let flag = ["0": false, "1": true][value] else {
                throw ValueError("ldaptls=\(quoted(value)); allowed: \"0\", \"1\"")
            }
            service.startsTLS = flag
        case "ldapprefix": service.prefix = value
        case "ldapsuffix": service.suffix = value
        case "ldapbasedn": service.base = value
        case "ldapbinddn": service.bindName = value
        case secret: service.bindPassword = Secret(value)
        case "ldapsearchattribute": service.searchAttribute = value
        case "ldapsearchfilter": service.searchFilter = value
        case "ldapurl": try LDAPURL(value).set(in: &service)
        default: preconditionFailure("\(name) is none of the names")
        }
    }

    /// Reads what stands in the string of `auth_ldap_options`, which is written as in a line.
    static func service(of text: String) throws(ValueError) -> LDAPService {
        let lines: [AccessFileLines.Line]
        do throws(AccessFileFindings) {
            lines = try AccessFileLines(
                ofFileAt: "",
                ConfigurationSource { path in
                    path.isEmpty
                        ? .success(Array(text.utf8)) : .failure(ConfigurationReadFailure(reason: "not here"))
                }
            ).lines
        } catch {
            throw ValueError(error.findings.first?.message ?? "cannot be read")
        }
        var service = LDAPService()
        var followsSecret = false
        for option in lines.flatMap({ $0.fields.joined() }).map(\.text) {
            let sign = option.firstIndex(of: "=") ?? option.endIndex
            let name = String(option[..<sign])
            guard sign < option.endIndex, names.contains(name) else {
                if followsSecret { throw ValueError(behindSecret) }
                let allowed = names.joined(separator: ", ")
                // What is no word may be a part of a secret.
                let isWord = name.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 }
                let what = isWord && sign < option.endIndex ? "option \(quoted(name))" : "no option"
                throw ValueError("\(what); allowed, each as name=value: \(allowed)")
            }
            try set(name, to: String(option[option.index(after: sign)...]), in: &service)
            followsSecret = followsSecret || name == secret
        }
        if let contradiction = service.contradiction { throw ValueError(contradiction) }
        return service
    }

    static let behindSecret =
        "something behind \(secret) is no option; a value with blanks, commas or # stands in double quotes"

    /// What C's `strtol` finds at the beginning, cut to an `int`, and whether that was all.
    static func number(_ text: String) -> (value: Int, isWhole: Bool) {
        text.withCString { start in
            var end: UnsafeMutablePointer<CChar>?
            let number = strtol(start, &end, 10)
            let isWhole = end.map { $0 != start && $0.pointee == 0 } ?? false
            return (Int(Int32(truncatingIfNeeded: number)), isWhole)
        }
    }
}
