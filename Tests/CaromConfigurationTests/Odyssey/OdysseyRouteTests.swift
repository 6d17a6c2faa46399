// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What a `user` block must and must not say.
@Suite struct OdysseyRouteTests {
    private static let good = "authentication \"none\" storage \"pg\" pool \"session\""
    private static let md5 = "md50123456789abcdef0123456789abcdef"
    private static let verifier =
        "SCRAM-SHA-256$4096:c2FsdA==$" + String(repeating: "A", count: 43) + "=:"
        + String(repeating: "A", count: 43) + "="

    private static func findings(inRoute text: String) -> [String] {
        CaromConfigurationTests.findings(
            in: """
                listen { host "*" }
                storage "pg" { type "remote" host "h" }
                database default { user default {
                \(text)
                } }
                """)
    }

    @Test func aVerifierIsNoPasswordForAServer() {
        #expect(
            Self.findings(inRoute: Self.good + " storage_password \"\(Self.verifier)\"")
                == [
                    "4:51: error: storage_password: a SCRAM verifier proves nothing to a server; it needs the password"
                ].map { "a.conf:\($0)" })
        #expect(Self.findings(inRoute: Self.good + " storage_password \"\(Self.md5)\"").isEmpty)
    }

    @Test(arguments: ["h:5432, h", "h,H,[::1]", "10.0.0.1,10.0.0.1:5432", "[::1],[0:0:0:0:0:0:0:1]"])
    func aServerThatIsListedTwiceCountsOnce(hosts: String) throws {
        let text = """
            listen { host "*" }
            storage "pg" { type "remote" host "\(hosts)" port 5432 }
            database default { user default { \(Self.good) } }
            """
        let loaded = try ConfigurationFile.parse(text: text)
        #expect(loaded.warnings.count == 1)
        #expect(loaded.warnings.allSatisfy { "\($0)".contains("is listed twice and counts once") })
        guard case .hosts(let kept) = loaded.settings.storages[0].backends else {
            Issue.record("the storage has no list of hosts")
            return
        }
        #expect(kept.count == hosts.split(separator: ",").count - 1)
    }

    @Test(arguments: [
        (good, []),
        (
            "",
            [
                "3:20: error: route default.default needs authentication; allowed: \"none\", \"block\", \"clear_text\", \"md5\", \"scram-sha-256\", \"cert\", \"hba\"",
                "3:20: error: route default.default needs pool; allowed: \"session\", \"transaction\", \"statement\"",
                "3:20: error: route default.default needs storage; allowed: \"pg\"",
            ]
        ),
        (
            "authentication \"pam\"",
            [
                "4:16: error: authentication: unknown value \"pam\"; allowed: \"none\", \"block\", \"clear_text\", \"md5\", \"scram-sha-256\", \"cert\", \"hba\""
            ]
        ),
        (
            "authentication \"none\" storage \"pq\" pool \"forever\"",
            [
                "4:23: error: storage \"pq\" is not defined\nhint: did you mean \"pg\"?",
                "4:41: error: pool: unknown value \"forever\"; allowed: \"session\", \"transaction\", \"statement\"",
            ]
        ),
        (
            good + " client_max 0",
            ["4:62: error: client_max: 0 is out of range; expected a whole number of at least 1"]
        ),
        (good + " pool_size 2 min_pool_size 3", ["4:63: error: min_pool_size 3 is above pool_size 2"]),
        (good + " min_pool_size 3", []),
        (good + " shared_pool \"x\"", ["4:51: error: shared_pool \"x\" is not defined"]),
        (
            good + " pool_smart_discard yes",
            ["4:51: error: directive 'pool_smart_discard' in 'user' is Odyssey's and not supported"]
        ),
        (
            good + " options { \"a\" 1 \"b\" }",
            [
                "4:65: error: expected a value in double quotes for parameter \"a\", found '1'",
                "4:71: error: expected a value in double quotes for parameter \"b\", found '}'",
            ]
        ),
        (
            good + " options { \"a\" \"1\" \"A\" \"2\" x } options { }",
            [
                "4:69: error: options: duplicate parameter \"A\"",
                "4:77: error: expected a parameter's name in double quotes, found 'x'",
                "4:81: error: duplicate block 'options'; it was given at a.conf:4:51",
            ]
        ),
        (
            good + " backend_startup_options { \"user\" \"x\" \"_pq_.a\" \"x\" }",
            [
                "4:77: error: backend_startup_options: \"user\" is not a parameter; storage_user and storage_db say who logs in where",
                "4:88: error: backend_startup_options: \"_pq_.a\" belongs to the protocol and cannot be set",
            ]
        ),
    ])
    func whatIsWrongInARouteIsSaid(text: String, expected: [String]) {
        #expect(Self.findings(inRoute: text) == expected.map { "a.conf:" + $0 })
    }

    @Test(
        arguments: [
            ("none", nil, nil), ("block", nil, nil), ("clear_text", "x", nil), ("clear_text", md5, nil),
            ("clear_text", verifier, nil), ("md5", "x", nil), ("md5", md5, nil), ("scram-sha-256", "x", nil),
            ("scram-sha-256", verifier, nil),
            ("md5", verifier, "needs a plain password or an MD5 hash, not a SCRAM verifier"),
            ("scram-sha-256", md5, "needs a plain password or a SCRAM verifier, not an MD5 hash"),
            ("clear_text", nil, "needs a password, an auth_file or an auth_query"),
            ("md5", nil, "needs a password, an auth_file or an auth_query"),
            ("scram-sha-256", nil, "needs a password, an auth_file or an auth_query"),
        ] as [(String, String?, String?)])
    func aPasswordMustFitTheAuthentication(method: String, password: String?, problem: String?) {
        let words = password.map { "password \"\($0)\" " } ?? ""
        let found = Self.findings(
            inRoute: words + "storage \"pg\" pool \"session\" authentication \"\(method)\"")
        #expect(found.count == (problem == nil ? 0 : 1))
        if let problem {
            #expect(found.first?.hasSuffix("error: authentication \"\(method)\" \(problem)") == true)
        }
    }

    private static let asking =
        "authentication \"md5\" storage \"pg\" pool \"session\" auth_query_user \"a\" auth_query_db \"d\" "

    @Test(arguments: [
        (asking, []), (asking + "auth_query \"select $1, $1\"", []),
        (asking.replacing("query_db", with: "dbname"), []),
        (
            asking.replacing("auth_query_db \"d\"", with: ""),
            ["auth_query needs auth_query_user and auth_query_db"]
        ),
        (
            asking + "auth_dbname \"d\"",
            ["'auth_query_db' and 'auth_dbname' are the same"]
        ),
        (
            asking + "password \"x\"",
            ["a route has only one of 'password', 'auth_file' and 'auth_query'"]
        ),
        (
            asking + "auth_query \"select 1\"",
            ["auth_query: the query has no $1 for the user's name"]
        ),
        (
            asking + "auth_query \"select '%u', $1\"",
            [
                "auth_query: \"%u\" would put what a client says into the text\nhint: use $1 for the user's name"
            ]
        ),
    ])
    func whatAQueryForSecretsNeedsIsSaid(text: String, expected: [String]) {
        let found = Self.findings(inRoute: text).map {
            $0.split(separator: ": error: ", maxSplits: 1).last.map(String.init)
        }
        #expect(found == expected)
    }

    @Test func aQueryForSecretsNeedsARouteToTheServerItAsks() {
        let found = CaromConfigurationTests.findings(
            in: """
                listen { host "*" }
                storage "pg" { type "remote" host "h" }
                storage "self" { type "local" }
                database "shop" { user default { \(Self.asking) } }
                database "d" { user "b" { authentication "block" storage "pg" pool "session" } }
                """)
        #expect(found.count == 1 && found[0].contains("auth_query: there is no route d.a"))
    }

    @Test func theUsualQueryHonoursTheEndOfSecrets() throws {
        var route = RouteSettings(pattern: RoutePattern(database: .anything, user: .anything))
        #expect(route.authQuerySettings == nil)
        route.authQueryUser = "asker"
        route.authQueryDatabase = "postgres"
        let text = try #require(route.authQuerySettings?.text)
        #expect(text.contains("rolvaliduntil") && text.contains("$1"))
        route.authQuery = "select $1"
        #expect(route.authQuerySettings?.text == "select $1")
    }

    @Test(arguments: ["clear_text", "md5", "scram-sha-256", "none"])
    func aFileOfUsersServesAsPassword(method: String) {
        let rest = "storage \"pg\" pool \"session\" authentication \"\(method)\""
        #expect(Self.findings(inRoute: "auth_file \"users\" \(rest)").isEmpty)
        #expect(
            Self.findings(inRoute: "auth_file \"users\" password \"x\" \(rest)")
                == ["a.conf:4:1: error: a route has either 'auth_file' or 'password'"])
    }

    @Test(arguments: [
        "password hunter2", "password 4711hunter2", "password \"a\"hunter2\"", "password \"a\" hunter2",
        "password hunter2 hunter2", "password \"hunter2", "storage_password hunter2", "pasword \"hunter2\"",
        "password \"hunter2\" password \"hunter2\"", "password { hunter2 }", "\"hunter2\"",
        "authentication \"md5\" password \"SCRAM-SHA-256$4096:hunter2==$\(String(repeating: "A", count: 44)):\(String(repeating: "B", count: 44))\" storage \"pg\" pool \"session\"",
    ])
    func noDiagnosticRepeatsAPassword(text: String) {
        let found = Self.findings(inRoute: text)
        #expect(!found.isEmpty)
        #expect(!found.joined().contains("hunter2"))
    }

    @Test(arguments: [
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$4096:c2FsdA==$\(String(repeating: "A", count: 44)):\(String(repeating: "A", count: 43))=",
        "SCRAM-SHA-256$4 096:c2FsdA==$\(String(repeating: "A", count: 43))=:\(String(repeating: "A", count: 43))=",
        "SCRAM-SHA-256$0:c2FsdA==$\(String(repeating: "A", count: 43))=:\(String(repeating: "A", count: 43))=",
    ])
    func aDamagedVerifierIsNotTakenForAPassword(secret: String) {
        let found = Self.findings(
            inRoute: "password \"\(secret)\" authentication \"scram-sha-256\" storage \"pg\" pool \"session\""
        )
        #expect(
            found == [
                "a.conf:4:10: error: password: this is no SCRAM verifier; expected SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, the last three in base64"
            ])
    }

    @Test(arguments: [(65_530, 0), (65_531, 1)])
    func aPasswordMayBeAsLongAsPostgreSQLReads(length: Int, mistakes: Int) {
        let secret = String(repeating: "p", count: length)
        let found = Self.findings(
            inRoute: "password \"\(secret)\" authentication \"md5\" storage \"pg\" pool \"session\"")
        #expect(found.count == mistakes && !found.joined().contains("ppp"))
    }

    @Test func aRouteIsDefinedOnce() {
        let again = """

            database "d" { user "u" { \(Self.good) } }
            database default { user default { \(Self.good) } }
            database "d" { user "v" { \(Self.good) } user "u" { \(Self.good) } }
            """
        #expect(
            CaromConfigurationTests.findings(in: smallest + again) == [
                "a.conf:7:20: error: route default.default is already defined at a.conf:4:5",
                "a.conf:8:79: error: route d.u is already defined at a.conf:6:16",
            ])
    }

    @Test(arguments: [
        ("database \"d\" { }", "1: warning: the database has no user, so it has no route"),
        (
            "database { user \"u\" { \(good) } }",
            "10: error: database: expected a string in double quotes, found '{'"
        ),
        (
            "database \"d\" { pool \"session\" }",
            "16: error: unknown directive 'pool' in 'database'\nhint: 'pool' belongs in 'user'"
        ),
        (
            "database \"d\" { group \"g\" { } }",
            "16: error: directive 'group' in 'database' is Odyssey's and not supported"
        ),
        (
            "database \"d\" { user \"u\" \"10.0.0.0/8\" hostssl { \(good) } }",
            "25: error: an address or a connection type behind a user is Odyssey's and not supported"
        ),
        ("user \"u\" { }", "1: error: unknown directive 'user'\nhint: 'user' belongs in 'database'"),
    ])
    func whatIsWrongInADatabaseIsSaid(text: String, expected: String) {
        #expect(CaromConfigurationTests.findings(in: smallest + "\n" + text) == ["a.conf:6:" + expected])
    }

    @Test func aDatabaseNamedDefaultIsNotTheDefault() throws {
        let text = smallest + "\ndatabase \"default\" { user \"default\" { \(Self.good) } }"
        let settings = try ConfigurationFile.parse(text: text).settings
        #expect(settings.routes.map(\.pattern.database) == [.anything, .exact("default")])
        #expect(try ConfigurationFile.parse(text: settings.description).settings == settings)
    }

    @Test(
        arguments: [
            ("clear_text", "", nil),
            ("md5", "", "4:22: error: 'auth_pam_service' is for authentication \"clear_text\""),
            ("none", "", "4:23: error: 'auth_pam_service' is for authentication \"clear_text\""),
            (
                "clear_text", "password \"x\"",
                "4:29: error: a route has either 'auth_pam_service' or 'password'"
            ),
            (
                "clear_text", "auth_query_user \"u\" auth_query_db \"d\"",
                "4:29: error: a route has either 'auth_pam_service' or 'auth_query_user'"
            ),
        ] as [(String, String, String?)])
    func pamIsAskedInPlaceOfWhatIsWrittenDown(method: String, more: String, problem: String?) {
        let found = Self.findings(
            inRoute:
                "authentication \"\(method)\" auth_pam_service \"carom\" \(more) storage \"pg\" pool \"session\""
        )
        if PackageTrait.built.contains(.pam) {
            #expect(found == [problem].compactMap(\.self).map { "a.conf:" + $0 })
        } else {
            #expect(found.count == 1)
            #expect(
                found.first?.hasSuffix("'auth_pam_service' needs a build with the package trait PAM") == true)
        }
    }
}
