// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// `ldap_endpoint` blocks, and the routes that name them. What is found depends on the traits of the build.
@Suite struct LDAPEndpointTests {
    private static let isBuilt = PackageTrait.built.contains(.ldap)
    private static let simple = "ldapserver \"a\" ldapprefix \"uid=\" ldapsuffix \",dc=x\""

    private static func text(_ endpoint: String, route: String = "ldap_endpoint_name \"e\"") -> String {
        """
        listen { host "*" }
        storage "pg" { type "remote" host "db" }
        ldap_endpoint "e" {
            \(endpoint) }
        database default { user default {
            authentication "clear_text"
            \(route) storage "pg" pool "session" } }
        """
    }

    @Test(.enabled(if: isBuilt)) func aRouteHasWhatItsEndpointSays() throws {
        let text = Self.text(
            """
            ldapserver "a b" ldapport 1389 ldapscheme "ldap" ldaptls yes ldapbasedn "dc=x" ldapbinddn "cn=y"
            ldapbindpasswd "pencil" ldapsearchattribute "mail" ldapscope "one"
            """)
        let settings = try ConfigurationFile.parse(text: text).settings
        let service = try #require(settings.routes[0].ldapService)
        #expect(
            service == settings.ldapEndpoints[0].service
                && service.addresses.map(\.description) == ["a:1389", "b:1389"])
        #expect(service.startsTLS && service.base == "dc=x" && service.bindName == "cn=y")
        #expect(service.bindPassword == Secret("pencil") && service.searchAttribute == "mail")
        #expect(service.scope == .one)
        #expect(
            !settings.description.contains("pencil")
                && settings.description.contains("ldapbindpasswd \"***\""))
        #expect(try ConfigurationFile.parse(text: settings.file).settings == settings)
    }

    @Test(.enabled(if: isBuilt)) func anotherEndpointIsAnotherRoute() throws {
        let old = try ConfigurationFile.parse(text: Self.text(Self.simple)).settings
        let new = try ConfigurationFile.parse(text: Self.text(Self.simple + " ldapport 400")).settings
        #expect(old.routes != new.routes)
        #expect(
            SettingsChanges(from: old, to: new).lines == [
                "ldap_endpoint \"e\": ldapport is 400, was nothing"
            ])
    }

    @Test(
        arguments: [
            (simple, []),
            (
                simple + " ldapport 0",
                ["4:66: error: ldapport: 0 is out of range; expected a whole number from 1 to 65535"]
            ),
            ("ldapbasedn \"x\"", ["3:1: error: ldap_endpoint \"e\": needs ldapserver"]),
            (
                "ldapserver \"a\"",
                ["3:1: error: ldap_endpoint \"e\": LDAP needs ldapbasedn, ldapprefix or ldapsuffix"]
            ),
            (
                simple + " ldapbasedn \"y\"",
                [
                    "3:1: error: ldap_endpoint \"e\": either ldapprefix and ldapsuffix, or a search by ldapbasedn, ldapbinddn, ldapbindpasswd, ldapsearchattribute, ldapsearchfilter or ldapurl"
                ]
            ),
            (
                "ldapserver \"a\" ldapbasedn \"dc=x\" ldapbinddn \"y\"",
                ["3:1: error: ldap_endpoint \"e\": ldapbinddn and ldapbindpasswd need each other"]
            ),
            (
                "ldapserver \"a\" ldapbasedn \"dc=x\" ldapsearchfilter \"(uid=ann)\"",
                [
                    "3:1: error: ldap_endpoint \"e\": ldapsearchfilter has no $username, which stands for the user's name"
                ]
            ),
            (
                "ldapserver \"ldap://a\" ldapprefix \"uid=\"",
                [
                    "3:1: error: ldap_endpoint \"e\": ldapserver: expected names or addresses, with blanks between them"
                ]
            ),
            (
                "ldapserver \" \" ldapprefix \"uid=\"", ["3:1: error: ldap_endpoint \"e\": needs ldapserver"]
            ),
            (
                "ldapserver \"a\" ldapbasedn \"people\"",
                ["3:1: error: ldap_endpoint \"e\": ldapbasedn: expected name=value, with commas between them"]
            ),
            (
                "ldapserver \"a\" ldapbasedn \"dc=x\" ldapsearchattribute \"u id\"",
                [
                    "3:1: error: ldap_endpoint \"e\": ldapsearchattribute: expected the name of an attribute: letters, digits, -"
                ]
            ),
            (
                "ldapserver \"a\" ldapbasedn \"dc=x\" ldapsearchfilter \"(uid=$username\"",
                [
                    "3:1: error: ldap_endpoint \"e\": ldapsearchfilter: expected a filter such as (uid=$username), its parentheses in pairs"
                ]
            ),
            (
                simple + " ldapscheme \"ldaps\" ldaptls yes",
                ["3:1: error: ldap_endpoint \"e\": ldaptls is for ldapscheme \"ldap\""]
            ),
            (
                simple + " ldapscheme \"ldapx\"",
                [
                    "4:68: error: ldapscheme: unknown value \"ldapx\"; allowed: \"ldap\", \"ldaps\"\nhint: did you mean \"ldap\"?"
                ]
            ),
            (simple + " ldap_pool_size 4", ["4:57: warning: 'ldap_pool_size' has no effect"]),
            (
                simple + " } ldap_endpoint \"e\" { \(simple)",
                ["4:59: error: ldap_endpoint \"e\" is already defined at a.conf:3:1"]
            ),
        ] as [(String, [String])])
    func whatIsWrongInAnEndpointIsSaid(endpoint: String, expected: [String]) {
        check(Self.text(endpoint), expected)
    }

    @Test(
        arguments: [
            (
                "ldap_endpoint_name \"f\"",
                ["7:5: error: ldap_endpoint \"f\" is not defined\nhint: allowed: \"e\""]
            ),
            (
                "ldap_endpoint_name \"e\" password \"x\"",
                ["7:5: error: a route has either 'ldap_endpoint_name' or 'password'"]
            ),
            (
                "ldap_endpoint_name \"e\" auth_file \"x\"",
                ["7:5: error: a route has either 'ldap_endpoint_name' or 'auth_file'"]
            ),
            (
                "ldap_endpoint_name \"e\" ldap_storage_credentials_attr \"x\"",
                [
                    "7:28: error: directive 'ldap_storage_credentials_attr' in 'user' is Odyssey's and not supported"
                ]
            ),
        ] as [(String, [String])])
    func whatIsWrongInARouteIsSaid(route: String, expected: [String]) {
        check(Self.text(Self.simple, route: route), expected)
    }

    @Test func otherMethodsAskNobody() {
        let text = Self.text(Self.simple).replacing("clear_text", with: "md5")
        check(text, ["7:5: error: 'ldap_endpoint_name' is for authentication \"clear_text\""])
    }

    private func check(_ text: String, _ expected: [String]) {
        let found = findings(in: text)
        if Self.isBuilt {
            #expect(found == expected.map { "a.conf:" + $0 })
        } else {
            #expect(
                found.contains("a.conf:3:1: error: 'ldap_endpoint' needs a build with the package trait LDAP")
            )
        }
    }
}
