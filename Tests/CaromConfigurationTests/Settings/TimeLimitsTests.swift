// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// Times that the top of the file says for all routes, and routes for themselves.
@Suite struct TimeLimitsTests {
    private static let route = #"authentication "none" storage "pg" pool "session""#

    private static func settings(top: String = "", route more: String = "") throws -> Settings {
        try ConfigurationFile.parse(
            text: """
                \(top) listen { host "*" } storage "pg" { type "remote" host "127.0.0.1" }
                database default { user default { \(route) \(more) } }
                """
        ).settings
    }

    private static func limits(top: String = "", route more: String = "") throws -> TimeLimits {
        let settings = try settings(top: top, route: more)
        return settings.routes[0].inheriting(settings).limits
    }

    private static var names: [(String, KeyPath<TimeLimits, TimeLimit?>)] {
        [
            ("query_timeout", \.query), ("transaction_timeout", \.transaction),
            ("idle_transaction_timeout", \.idleTransaction),
            ("pool_idle_in_transaction_timeout", \.idleTransaction), ("client_idle_timeout", \.clientIdle),
            ("pool_client_idle_timeout", \.clientIdle), ("query_wait_timeout", \.wait),
            ("query_wait_notify", \.waitNotice), ("pool_ttl", \.serverIdle),
            ("server_idle_timeout", \.serverIdle), ("server_lifetime", \.serverLifetime),
        ]
    }

    @Test func theMostSpecificWins() throws {
        for (name, path) in Self.names {
            #expect(try Self.limits()[keyPath: path] == TimeLimits.standard[keyPath: path])
            #expect(try Self.limits(top: "\(name) 7")[keyPath: path] == .after(.seconds(7)), "\(name)")
            #expect(try Self.limits(route: "\(name) 8")[keyPath: path] == .after(.seconds(8)))
            #expect(
                try Self.limits(top: "\(name) 7", route: "\(name) 8")[keyPath: path] == .after(.seconds(8)))
            #expect(try Self.limits(top: "\(name) 7", route: "\(name) 0")[keyPath: path] == .never)
        }
        #expect(try Self.limits(top: "pool_timeout 7").wait == .after(.milliseconds(7)))
    }

    @Test(arguments: [
        ("0.25", Duration.milliseconds(250)), ("1.5", .milliseconds(1500)), ("2.007", .milliseconds(2007)),
        ("3", .seconds(3)), ("2147483647", .seconds(2_147_483_647)),
    ])
    func secondsMayHaveThreeDecimals(_ text: String, _ time: Duration) throws {
        let settings = try Self.settings(top: "query_timeout \(text)")
        #expect(settings.limits.query == .after(time))
        #expect(settings.description.contains("\nquery_timeout \(text)\n"))
        #expect(try ConfigurationFile.parse(text: settings.description).settings == settings)
    }

    @Test(arguments: [
        ("query_timeout 0.0001", "query_timeout: expected a whole number of at least 0, found '0.0001'"),
        ("query_timeout 1.", "query_timeout: expected a whole number of at least 0, found '1.'"),
        ("query_timeout 1.5s", "query_timeout: expected a whole number of at least 0, found '1.5s'"),
        ("query_timeout -1.5", "query_timeout: expected a whole number of at least 0, found '-1.5'"),
        ("query_timeout -1", "query_timeout: -1 is out of range; expected a whole number of at least 0"),
        (
            "query_timeout 2147483648.5",
            "query_timeout: 2147483648.5 is out of range; expected a whole number of at least 0"
        ),
        ("pool_timeout 0.5", "pool_timeout: expected a whole number of at least 0, found '0.5'"),
        ("server_connect_timeout 0", "server_connect_timeout: 0 is out of range; expected more"),
    ])
    func whatIsNoTimeIsTold(_ text: String, _ message: String) {
        do {
            _ = try Self.settings(top: text)
            Issue.record("\(text) is accepted")
        } catch {
            let errors = error as? ConfigurationErrors
            #expect(errors?.diagnostics.map(\.message) == [message])
        }
    }

    @Test(arguments: [
        ("pool_timeout 1 query_wait_timeout 1", "query_wait_timeout"),
        ("server_idle_timeout 1 pool_ttl 1", "pool_ttl"),
        ("client_idle_timeout 1 pool_client_idle_timeout 1", "pool_client_idle_timeout"),
    ])
    func twoNamesOfOneThingAreOneTooMany(_ text: String, _ name: String) {
        for (top, route) in [(text, ""), ("", text)] {
            do {
                _ = try Self.settings(top: top, route: route)
                Issue.record("\(text) is accepted")
            } catch {
                let message = (error as? ConfigurationErrors)?.diagnostics.first?.message
                #expect(message?.hasPrefix("duplicate directive '\(name)'; it was given at ") == true)
            }
        }
    }

    @Test func otherNamesAreShownInTheirOwnUnitAndDumpedOnce() throws {
        let settings = try Self.settings(
            top: "query_wait_timeout 2.5 server_connect_timeout 4 cancel_wait_timeout 0")
        #expect(settings.backendConnectTimeout == .seconds(4) && settings.cancelTimeout == nil)
        let shown = Dictionary(uniqueKeysWithValues: settings.entries.map { ($0.name, $0.value) })
        #expect(shown["pool_timeout"] == "2500" && shown["query_wait_timeout"] == "2.5")
        #expect(shown["backend_connect_timeout_ms"] == "4000" && shown["server_connect_timeout"] == "4")
        #expect(!settings.description.contains("query_wait_timeout"))
        let changes = SettingsChanges(from: try Self.settings(), to: settings)
        #expect(
            changes.lines == [
                "backend_connect_timeout_ms is 4000, was 30000", "cancel_timeout_ms is 0, was 1000",
                "pool_timeout is 2500, was 0",
            ])
    }

    @Test(arguments: [
        ("-1", TimeLimit.never), ("0", .after(.milliseconds(1))), ("70", .after(.milliseconds(70))),
    ])
    func odysseysNoticeIsOffAtMinusOne(_ text: String, _ limit: TimeLimit) throws {
        let settings = try Self.settings(route: "pool_notice_after_waiting_ms \(text)")
        #expect(settings.routes[0].limits.waitNotice == limit)
        let shown = RouteSettings.directives["pool_notice_after_waiting_ms"]?.write(settings.routes[0])
        #expect(shown == (text == "0" ? "1" : text))
    }

    @Test func theyCanBeSet() throws {
        let change = SettingChange("query_wait_timeout", to: .number("1.5"))
        #expect(try change.applied(to: Settings()).limits.wait == .after(.milliseconds(1500)))
    }
}
