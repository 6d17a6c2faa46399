// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import Testing

@testable import CaromPooler

/// What servers of LDAP are asked about users with ordinary and with hostile names.
@Suite struct LDAPQuestionTests {
    private static func binding(_ prefix: String?, _ suffix: String?) -> LDAPService {
        var service = LDAPService()
        (service.prefix, service.suffix) = (prefix, suffix)
        return service
    }

    private static func searching(attribute: String? = nil, filter: String? = nil) -> LDAPService {
        var service = LDAPService()
        (service.base, service.searchAttribute, service.searchFilter) = ("dc=x", attribute, filter)
        return service
    }

    @Test(
        "Behind an equals sign a name is the value of an attribute",
        arguments: [
            ("ann", "ann"), ("boss,ou=admins", "boss\\,ou\\=admins"), ("a+cn=b", "a\\+cn\\=b"),
            ("a\\", "a\\\\"), ("\"a\"", "\\\"a\\\""), ("<a>;", "\\<a\\>\\;"), ("#a#", "\\#a#"),
            (" a b ", "\\ a b\\ "), (" ", "\\ "), ("Ann ✓", "Ann ✓"), (",\u{301}", "\\,\u{301}"),
        ])
    func namesAreEscaped(user: String, expected: String) throws {
        let question = try LDAPQuestion(Self.binding("uid=", ",dc=x"), about: user)
        #expect(question == .name("uid=\(expected),dc=x"))
    }

    @Test func elsewhereANameStaysAsItIs() throws {
        for (prefix, suffix) in [("ORDERS\\", nil), (nil, "@example.com"), ("", "")] as [(String?, String?)] {
            let service = Self.binding(prefix, suffix)
            let question = try LDAPQuestion(service, about: "ann+b=c")
            #expect(question == .name("\(prefix ?? "")ann+b=c\(suffix ?? "")"))
            for user in ["a,b", "a;b", "a\\b", "a\"b", "a<b", "a>b", ",\u{301}", "a\0"] {
                #expect(throws: LDAPQuestion.Refusal.self) { try LDAPQuestion(service, about: user) }
            }
        }
    }

    @Test(arguments: ["ann\t", "ann\r", "ann\n", "\u{B}ann", "a\u{1}nn", "ann\u{7F}", "\u{1F}"])
    func whatDirectoriesTakeForABlankIsInNoName(user: String) {
        for service in [Self.binding("uid=", ",dc=x"), Self.binding(nil, "@x"), Self.searching()] {
            #expect(throws: LDAPQuestion.Refusal.self) { try LDAPQuestion(service, about: user) }
        }
    }

    @Test func entriesAreLookedForByAnAttributeOrAFilter() throws {
        let questions = [
            (Self.searching(), "(uid=ann)"), (Self.searching(attribute: "mail"), "(mail=ann)"),
            (Self.searching(filter: "(|(a=$username)(b=$username$user))"), "(|(a=ann)(b=ann$user))"),
            (Self.searching(filter: "(a=b)"), "(a=b)"),
            (Self.searching(filter: "$username\u{301}"), "ann\u{301}"),
        ]
        for (service, filter) in questions {
            #expect(try LDAPQuestion(service, about: "ann") == .entry(base: "dc=x", filter: filter))
        }
    }

    @Test(arguments: ["*", "a*", "(", ")", "ann)(uid=*", "a\\2a", "a/b", "a\0b", "(\u{301}", "*\u{20DD}"])
    func nobodyAsksAboutWhatWouldHaveToBeEscapedInAFilter(user: String) {
        for service in [Self.searching(), Self.searching(filter: "(a=$username)")] {
            #expect(throws: LDAPQuestion.Refusal.self) { try LDAPQuestion(service, about: user) }
        }
    }
}
