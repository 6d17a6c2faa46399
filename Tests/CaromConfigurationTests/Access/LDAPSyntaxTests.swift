// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What can and cannot mean something to a server of LDAP.
@Suite struct LDAPSyntaxTests {
    @Test(arguments: [
        "a", "ldap-1.example.com", "10.0.0.1", "::1", "fe80::1", "b\u{FC}cher.example", "_ldap.x",
    ])
    func thisIsAHost(text: String) { #expect(LDAPSyntax.isHost(text)) }

    @Test(arguments: [
        "", "a:389", "ldap://a", "a/b", "a,b", "a b", "[::1", "::g", "a?b", "a%20b", "user@a", ".", "a..b",
        "999.1.1.1", "10.1", "-a", "fe80::1%eth0", String(repeating: "a", count: 64),
    ])
    func thisIsNoHost(text: String) { #expect(!LDAPSyntax.isHost(text)) }

    @Test(arguments: ["uid", "sAMAccountName", "2.5.4.3", "cn;lang-en", "x-own", "cn;lang-en;x"])
    func thisIsAnAttribute(text: String) { #expect(LDAPSyntax.isAttribute(text)) }

    @Test(arguments: [
        "", "uid=", "(uid", "u id", "-x", "uid,mail", "\u{FC}id", "1a", "a.b", "a;", "2.5.", "my_attr",
    ])
    func thisIsNoAttribute(text: String) { #expect(!LDAPSyntax.isAttribute(text)) }

    @Test(arguments: [
        "", "dc=x", "ou=a, dc=b", "cn=a\\,b,dc=x", "2.5.4.3=x", "cn=a+uid=b,dc=x", "cn=a\\=,dc=x", "cn=,dc=x",
        "O=\"Sue, Grabbit and Runn\",C=GB", "O=\"a;b\",C=GB", "dc = x", "cn=a\\\"b",
        "OID.2.5.4.3=x", "cn=#04024869", "cn=\"a\\\"+b\"", " ",
    ])
    func thisIsAName(text: String) { #expect(LDAPSyntax.isName(text)) }

    @Test(arguments: [
        "people", "dc=x,", "dc=x,people", ",dc=x", "dc=x\\", "a\\=b", "=x", "cn=a+sn", "cn=x+", "a b=c",
        "cn=\"a",
    ])
    func thisIsNoName(text: String) { #expect(!LDAPSyntax.isName(text)) }

    @Test(arguments: [
        "(uid=$username)", "uid=$username", "(&(a=b)(|(c=*)(!(d>=5))))", "(& (a=b) (c=d))", "(&)",
        "(cn:dn:2.4.6:=x)",
        "(a=\\28x\\29)", "(a=)", "(o=a&b)", "(&(uid=$username)\n\t(objectClass=person))",
        "(! (uid=$username))", "( &(a=b) ( c=d ) )",
        "(uid=\\($username)", "(a~=b)", "(a<=b)", "(:dn:2.4.6:=x)", "(1.2.3=x)", " (a=b) ", "(!(a=b) )",
        "(a;x=b)",
    ])
    func thisIsAFilter(text: String) { #expect(LDAPSyntax.isFilter(text)) }

    @Test(arguments: [
        "", "uid", "(uid)", "(uid=a", "uid=a)", "(uid=a))", "((uid=a))", "(uid=a)(b=c)", "(!(a=b)(c=d))",
        "(=x)",
        "(&(a=b)c=d)", "(|", "(uid=(a))", "(a b=x)", "(my_attr=x)", "(uid=x\\zz)", "(cn=\\$username)",
        "(1a=x)", "(uid=a\\)", "(:=x)",
    ])
    func thisIsNoFilter(text: String) { #expect(!LDAPSyntax.isFilter(text)) }

    @Test func aFilterIsNotFollowedForEver() {
        let text = String(repeating: "(!", count: 100_000) + "(a=b)" + String(repeating: ")", count: 100_000)
        #expect(!LDAPSyntax.isFilter(text))
    }

    @Test(arguments: [
        ("a:389", "a", 389), ("[::1]:636", "::1", 636), ("::1:636", "::1", 636),
        ("a.b.c:70000", "a.b.c", 70000),
    ])
    func serversAreReadAsNameserversHaveThem(text: String, host: String, port: Int) throws {
        let server = try #require(LDAPServer(text))
        #expect(server.host == host && server.port == port)
    }

    @Test func whatHasNoPortIsNoServer() {
        for text in ["", "a", "a:", "a:x"] { #expect(LDAPServer(text) == nil) }
    }
}
