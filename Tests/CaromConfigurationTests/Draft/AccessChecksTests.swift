// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What is wrong with the directives that say who may come.
@Suite struct AccessChecksTests {
    private static let routes = """

        storage "pg" { type "remote" host "127.0.0.1" }
        storage "console" { type "local" }
        database "shop" { user "asker" { authentication "block" storage "pg" pool "session" } }
        database "console" { user default { authentication "block" storage "console" } }
        admin_users "operator"
        """

    private static func told(_ top: String, listen: String = "host \"*\"") -> [String] {
        findings(in: "\(top)\nlisten { \(listen) }\(routes)")
    }

    @Test func whoIsAskedForRolesMustBeReachedByARoute() {
        let asker = "hba_role_query_db \"shop\" hba_role_query_user \"asker\""
        #expect(Self.told("hba_file \"/x\" \(asker)") == [])
        let others = [
            "hba_role_query_db \"shop\"": "are asked for with hba_role_query_db and hba_role_query_user",
            "hba_role_query_db \"shop\" hba_role_query_user \"eve\"": "there is no route shop.eve",
            "hba_role_query_db \"console\" hba_role_query_user \"eve\"":
                "the route console.eve leads to the console",
            "hba_role_query \"select 1\" \(asker)": "the query has no $1 for the user's name",
            "hba_role_query \"select $1 || '%u'\" \(asker)": "would put what a client says into the text",
        ]
        for (text, reason) in others {
            let told = Self.told("hba_file \"/x\" \(text)")
            #expect(told.count == 1 && told[0].contains("error: ") && told[0].contains(reason), "\(told)")
        }
        let idle = Self.told(asker)
        #expect(
            idle.count == 2 && idle.allSatisfy { $0.contains("has no effect without 'hba_file'") }, "\(idle)")
    }

    @Test(
        "Proxies are listed by their addresses",
        arguments: [
            ("10.0.0.1", nil), ("10.0.0.1, 10.0.1.0/24,fd00::/8", nil), ("", "found an empty string"),
            ("10.0.0.1,", "\"\" is no IP address"), ("proxy.example", "\"proxy.example\" is no IP address"),
            ("10.0.0.0/33", "\"10.0.0.0/33\" is no IP address"), ("10.0.0.0/x", "is no IP address"),
            ("10.0.0.1 10.0.0.2", "is no IP address"),
        ] as [(String, String?)])
    func proxies(list: String, reason: String?) throws {
        let told = Self.told("", listen: "host \"*\" proxy_protocol \"\(list)\"")
        guard let reason else {
            #expect(told == [])
            return
        }
        #expect(told.count == 1 && told[0].contains(reason), "\(told)")
    }

    @Test func aUnixSocketHasNoProxies() {
        let told = Self.told(
            "unix_socket_dir \"/tmp\" unix_socket_mode \"0700\"", listen: "proxy_protocol \"10.0.0.1\"")
        #expect(
            told.count == 1 && told[0].contains("error: 'proxy_protocol' has no meaning on a Unix socket"))
    }

    @Test func theDumpOfThemSaysTheSame() throws {
        let text = """
            auth_delay 500 auth_failure_limit 20 auth_failure_period 30
            hba_file "/x" hba_role_query_db "shop" hba_role_query_user "asker" hba_role_query "select $1"
            listen { host "*" proxy_protocol "10.0.0.1, 10.0.1.0/24" }\(Self.routes)
            """
        let file = try ConfigurationFile.parse(text: text)
        let again = try ConfigurationFile.parse(text: file.settings.description)
        #expect(again.settings == file.settings && again.settings.authFailureLimit == 20)
        #expect(again.settings.listeners[0].proxies.map(\.text) == ["10.0.0.1", "10.0.1.0/24"])
    }
}
