// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// The options of the method `ldap`, in lines and in PgBouncer's string.
@Suite struct LDAPOptionsTests {
    private static func rule(_ text: String, traits: Set<PackageTrait> = [.ldap]) throws(AccessFileFindings)
        -> HostAccessRule
    {
        let source = FakeFiles(contents: ["hba": text]).source
        return try HostAccessRules(ofFileAt: "hba", traits: traits, source).rules[0]
    }

    @Test func aLineSaysWhoIsAsked() throws {
        let rule = try Self.rule(
            "host all all all ldap ldapserver=\"a b\" ldapport=1389 ldaptls=1 ldapprefix=\"cn=\" ldapsuffix=\", dc=x\""
        )
        var service = LDAPService()
        (service.servers, service.port, service.startsTLS) = ("a b", 1389, true)
        (service.prefix, service.suffix) = ("cn=", ", dc=x")
        #expect(rule.method == .ldap && rule.ldap == service)
        #expect(service.addresses.map(\.description) == ["a:1389", "b:1389"])
    }

    @Test func anEntryIsLookedForBySomebody() throws {
        let rule = try Self.rule(
            "local all all ldap ldapscheme=ldaps ldapserver=::1 \"ldapbasedn=dc=x,dc=y\" ldapbinddn=cn=z ldapbindpasswd=secret ldapsearchfilter=(uid=$username)"
        )
        let service = try #require(rule.ldap)
        #expect(service.addresses.map(\.description) == ["[::1]:636"] && service.base == "dc=x,dc=y")
        #expect(service.bindName == "cn=z" && service.bindPassword == Secret("secret"))
        #expect(service.searchFilter == "(uid=$username)" && service.scope == .sub)
    }

    @Test func theSecretDoesNotPrint() throws {
        let rule = try Self.rule("local all all ldap ldapbasedn=x ldapbinddn=cn=z ldapbindpasswd=pencil")
        var text = "\(rule)"
        dump(rule, to: &text)
        #expect(!text.contains("pencil") && text.contains("cn=z"))
    }

    @Test(
        arguments: [
            ("ldap ldapbasedn=x", [], "method \"ldap\" needs a build with the package trait LDAP"),
            ("ldap", [.ldap], "LDAP needs ldapbasedn, ldapprefix or ldapsuffix"),
            ("ldap ldapserver=a", [.ldap], "LDAP needs ldapbasedn, ldapprefix or ldapsuffix"),
            ("ldap ldapbasedn=x ldapport=x", [.ldap], "ldapport=\"x\" is no port"),
            ("ldap ldapbasedn=x ldaptls=yes", [.ldap], "ldaptls=\"yes\"; allowed: \"0\", \"1\""),
            ("ldap ldapbasedn=x ldaptls=", [.ldap], "ldaptls=\"\"; allowed: \"0\", \"1\""),
            ("ldap ldapscheme=x", [.ldap], "ldapscheme=\"x\"; allowed: \"ldap\", \"ldaps\""),
            (
                "ldap ldapbasedn=x ldapsearchattribute=a ldapsearchfilter=b", [.ldap],
                "either ldapsearchattribute or ldapsearchfilter"
            ),
            ("md5 ldapserver=a", [.ldap], "'ldapserver' is for the method \"ldap\""),
            ("ldap ldapurl=http://h", [.ldap], "ldapurl: expected ldap://… or ldaps://…"),
            (
                "ldap ldapbasedn=x ldapbindpasswd=my pencil", [.ldap],
                "something behind ldapbindpasswd is no option; a value with blanks, commas or # stands in double quotes"
            ),
            (
                "ldap ldapbasedn=x ldapbindpasswd=my @pencil", [.ldap],
                "something behind ldapbindpasswd is no option; a value with blanks, commas or # stands in double quotes"
            ),
            (
                "ldap ldapbasedn=x ldapbindpasswd=my, @pencil", [.ldap],
                "something behind ldapbindpasswd is no option; a value with blanks, commas or # stands in double quotes"
            ),
            (
                "ldap ldapbasedn=x ldapbindpasswd=my,pencil=2", [.ldap],
                "something behind ldapbindpasswd is no option; a value with blanks, commas or # stands in double quotes"
            ),
        ] as [(String, Set<PackageTrait>, String)])
    func whatIsWrongIsSaid(options: String, traits: Set<PackageTrait>, words: String) {
        let findings = #expect(throws: AccessFileFindings.self) {
            try Self.rule("host all all all \(options)", traits: traits)
        }
        #expect(findings?.findings.map(\.description) == ["line 1: \(words)"])
    }

    @Test(arguments: [
        "ldapbasedn=x", "ldapbinddn=x", "ldapbindpasswd=x", "ldapsearchattribute=x", "ldapurl=ldap://h/x",
    ])
    func namesArePutTogetherOrEntriesLookedFor(option: String) {
        for own in ["ldapprefix=x", "ldapsuffix=x", "ldapprefix="] {
            let findings = #expect(throws: AccessFileFindings.self) {
                try Self.rule("host all all all ldap \(own) \(option)")
            }
            #expect(
                findings?.findings.first?.message.hasPrefix("either ldapprefix and ldapsuffix, or a search")
                    == true)
        }
    }

    @Test(arguments: [
        ("ldap://h", "ldap h 389 nil nil base nil"), ("LDAPS://h/", "ldaps h 636  nil base nil"),
        ("ldap:///dc=x", "ldap nil 389 dc=x nil base nil"), ("<URL:ldap://h/x>", "ldap h 389 x nil base nil"),
        ("ldap://[::1]:400/x", "ldap ::1 400 x nil base nil"),
        ("ldap://[::1]x/x", "ldap ::1 389 x nil base nil"),
        ("ldap://h:0/x", "ldap h 389 x nil base nil"), ("ldap://h:%33/x", "ldap h 3 x nil base nil"),
        ("ldap://h:389?dc=x?uid", "ldap h 389 nil nil base nil"),
        ("ldap://h?a/b", "ldap h?a 389 b nil base nil"),
        ("ldap://h/dc%3dx,dc=y?uid,cn?ONE?(a=b)", "ldap h 389 dc=x,dc=y uid one (a=b)"),
        ("ldap://h/dc%zz", "ldap h 389  nil base nil"), ("ldap://h/dc=x%00y", "ldap h 389 dc=x nil base nil"),
        ("ldap://h/x??sub?", "ldap h 389 x nil sub nil"),
        ("ldap://h/x???%28a?!b", "ldap h 389 x nil base (a"),
        ("ldap://h/a/b?,,uid?subord", "ldap h 389 a/b uid children nil"),
        ("ldap://h/x?u?onelevel", "ldap h 389 x u one nil"),
    ])
    func urlsAreReadAsByPostgreSQL(text: String, expected: String) throws {
        let url = try LDAPURL(text)
        let parts = [url.scheme.rawValue, url.host ?? "nil", "\(url.port)", url.base ?? "nil"]
        let told = parts + [url.attribute ?? "nil", url.scope.rawValue, url.filter ?? "nil"]
        #expect(told.joined(separator: " ") == expected)
    }

    @Test(arguments: [
        "", "h", "ldapi://h", "ldap:/h", " ldap://h", "<ldap://h", "URL:<ldap://h>", "ldap://h:",
        "ldap://h:x",
        "ldap://h:3x/", "ldap://a:1:2", "ldap://::1/x", "ldap://[::1/x", "ldap://[::1]x:3/x",
        "ldap://h:%zz/x",
        "ldap://h/x?u?two", "ldap://h/x?u?%00", "ldap://h/x?u?sub?%00", "ldap://h/x?u?sub?%zz",
        "ldap://h/x?u?sub??", "ldap://h/x?u?sub??,", "ldap://h/x?u?sub?f?a?b",
    ])
    func whatIsNoURLIsRefused(text: String) {
        let error = #expect(throws: ValueError.self) { try LDAPURL(text) }
        #expect(error?.message.hasPrefix("ldapurl: ") == true)
    }

    @Test func aPasswordInFrontOfAHostIsNotRepeated() {
        for text in ["ldap://cn=x:pencil@h/dc=x", "ldap://cn=x:pencil@h:389/dc=x", "ldap://cn=x:pencil"] {
            let error = #expect(throws: ValueError.self) { try LDAPURL(text) }
            #expect(error?.message == "ldapurl: expected a port behind the host's colon")
        }
    }

    @Test func aURLLeavesWhatItDoesNotSay() throws {
        let service = try LDAPOptions.service(
            of: "ldapserver=old ldapsearchattribute=mail ldapurl=\"ldaps://:99/dc=x??one\"")
        #expect(
            service.addresses.map(\.description) == ["old:99"] && service.scheme == .ldaps
                && service.base == "dc=x")
        #expect(service.searchAttribute == "mail" && service.scope == .one)
    }

    @Test func anyOptionBehindAURLTakesItsScopeBack() throws {
        for (more, scope) in [("", .base), (" ldaptls=1", .sub), (" clientcert=verify-ca", .sub)]
            as [(String, LDAPService.Scope)]
        {
            let rule = try Self.rule("hostssl all all all ldap ldapurl=ldap://h/x\(more)")
            #expect(rule.ldap?.scope == scope)
        }
    }

    @Test(arguments: [
        ("ldapbasedn=x colour=red", "option \"colour\"; allowed, each as name=value: ldapserver, "),
        ("ldapbasedn=x ldapserver", "no option; allowed, each as name=value: ldapserver, "),
        ("ldapbasedn=x my-pencil", "no option; allowed, each as name=value: ldapserver, "),
        ("ldapbasedn=x my-pencil=x", "no option; allowed, each as name=value: ldapserver, "),
        ("ldapbasedn=x ldaptls=on", "ldaptls=\"on\"; allowed: \"0\", \"1\""),
        ("ldapserver=a", "LDAP needs ldapbasedn, ldapprefix or ldapsuffix"),
        ("ldapbindpasswd=my pencil", "something behind ldapbindpasswd is no option"),
        ("@/etc/passwd", "\"/etc/passwd\" cannot be read: not here"),
    ])
    func whatIsWrongInAStringIsSaid(text: String, words: String) {
        let error = #expect(throws: ValueError.self) { try LDAPOptions.service(of: text) }
        #expect(error?.message.hasPrefix(words) == true, "\(error?.message ?? "nothing")")
    }
}
