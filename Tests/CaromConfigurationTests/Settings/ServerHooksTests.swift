// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What is done with servers, as the top of the file says it for all routes, and routes for themselves.
@Suite struct ServerHooksTests {
    private static func settings(top: String = "", storage: String = "", route: String = "") throws
        -> Settings
    {
        try ConfigurationFile.parse(
            text: """
                \(top) listen { host "*" } storage "pg" { type "remote" host "127.0.0.1" \(storage) }
                database default { user default { authentication "none" storage "pg" pool "session" \(route) } }
                """
        ).settings
    }

    private static func hooks(top: String = "", route: String = "") throws -> ServerHooks {
        let settings = try settings(top: top, route: route)
        return settings.routes[0].inheriting(settings).hooks
    }

    private static let all = """
        connect_query "a" server_check_query "b" server_check_delay 0.5 pool_discard_query "c"
        server_fast_close yes server_round_robin yes server_drain_timeout 9 codel_target 7 codel_interval 8
        """

    @Test func theTopIsForAllRoutesAndARouteWins() throws {
        #expect(try Self.hooks() == ServerHooks())
        let (top, route) = (try Self.hooks(top: Self.all), try Self.hooks(route: Self.all))
        #expect(top == route && top != ServerHooks())
        #expect(top.connectQuery == "a" && top.checkQuery == "b" && top.resetQuery == "c")
        #expect(
            top.checkDelay == .milliseconds(500) && top.fastClose == true && top.drainTimeout == .seconds(9))
        #expect(top.roundRobin == true)
        #expect(top.codelTarget == .milliseconds(7) && top.codelInterval == .milliseconds(8))
        let other = """
            connect_query "x" server_check_query "y" server_check_delay 0 server_reset_query "z"
            server_fast_close no server_round_robin no server_drain_timeout 3 codel_target 1 codel_interval 2
            """
        #expect(try Self.hooks(top: Self.all, route: other) == Self.hooks(route: other))
    }

    @Test func allOfThemAreWrittenAndReadAgain() throws {
        for settings in [try Self.settings(top: Self.all), try Self.settings(route: Self.all)] {
            #expect(try ConfigurationFile.parse(text: settings.description).settings == settings)
        }
        let storage = try Self.settings(storage: "server_max_routing 9")
        #expect(storage.storages[0].maxRouting == 9)
        #expect(try ConfigurationFile.parse(text: storage.description).settings == storage)
    }

    @Test(arguments: [("yes", true as Bool?), ("no", nil)])
    func anAlwaysIsAPoolDiscard(_ text: String, _ discards: Bool?) throws {
        let settings = try Self.settings(route: "server_reset_query_always \(text)")
        #expect(settings.routes[0].poolDiscard == discards)
        #expect(!settings.description.contains("always"))
    }

    @Test(arguments: [
        "server_reset_query \"a\" pool_discard_query \"a\"",
        "pool_discard no server_reset_query_always yes",
    ])
    func twoNamesOfOneThingAreOneTooMany(_ text: String) {
        #expect(throws: ConfigurationErrors.self) { try Self.settings(route: text) }
    }
}
