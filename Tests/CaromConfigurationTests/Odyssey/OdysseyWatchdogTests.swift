// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// How far servers may lag.
@Suite struct OdysseyWatchdogTests {
    private static func text(watchdog: String, route: String = "") -> String {
        """
        listen { host "*" }
        storage "pg" { type "remote" host "h"
        \(watchdog) }
        database "shop" { user "bob" { authentication "none" storage "pg" pool "transaction"
        \(route) } }
        """
    }

    private static let watchdog = "watchdog { storage_db \"d\" storage_user \"u\" }"

    @Test func odysseysBlockIsRead() throws {
        let block = """
            watchdog { authentication "none" storage "pg" storage_db "postgres" storage_user "watch"
                storage_password "geheim" pool_routing "internal" pool "transaction" pool_size 10 pool_timeout 0
                pool_ttl 1201 pool_discard yes pool_cancel yes server_lifetime 1901 log_debug no
                watchdog_lag_query "SELECT 1" watchdog_lag_interval 10 }
            """
        let file = try ConfigurationFile.parse(
            text: Self.text(watchdog: block, route: "catchup_timeout 3 catchup_checks 1"))
        let watchdog = try #require(file.settings.storages[0].watchdog)
        #expect(watchdog.database == "postgres" && watchdog.user == "watch" && watchdog.query == "SELECT 1")
        #expect(watchdog.password?.reveal() == "geheim" && watchdog.interval == .seconds(10))
        #expect(file.settings.routes[0].catchupTimeout == .seconds(3))
        #expect(file.settings.routes[0].catchupExceeded == .error)
        #expect(file.warnings.count == 12, "whatever concerns the pool has no effect, nor have checks")
    }

    @Test func whatIsReadCanBeWrittenAndReadAgain() throws {
        let text = Self.text(watchdog: Self.watchdog, route: "catchup_timeout 3 catchup_exceeded \"primary\"")
        let settings = try ConfigurationFile.parse(text: text).settings
        #expect(try ConfigurationFile.parse(text: settings.description).settings == settings)
        #expect(try ConfigurationFile.parse(text: settings.file).settings == settings)
        #expect(settings.routes[0].catchupExceeded == .primary)
    }

    @Test func aSecretIsNotShown() throws {
        let block = "watchdog { storage_db \"d\" storage_user \"u\" storage_password \"geheim\" }"
        let settings = try ConfigurationFile.parse(text: Self.text(watchdog: block)).settings
        #expect(!settings.description.contains("geheim") && settings.file.contains("geheim"))
    }

    @Test(arguments: [
        ("", "catchup_timeout 3", "5:1: error: catchup_timeout needs a 'watchdog' in storage \"pg\""),
        ("", "catchup_timeout 0", nil),
        (
            watchdog, "catchup_exceeded \"primary\"",
            "5:1: warning: 'catchup_exceeded' has no effect without 'catchup_timeout'"
        ),
        (watchdog, "catchup_timeout -1", "5:17: error: catchup_timeout: "),
        (
            watchdog, "catchup_timeout 3 catchup_exceeded \"any\"",
            "5:36: error: catchup_exceeded: unknown value"
        ),
        (
            watchdog + " " + watchdog, "",
            "3:46: error: duplicate block 'watchdog'; it was given at a.conf:3:1"
        ),
        ("", "watchdog_lag_query \"x\"", "5:1: error: unknown directive 'watchdog_lag_query' in 'user'"),
    ])
    func whatCannotBeIsSaid(watchdog: String, route: String, expected: String?) {
        let found = findings(in: Self.text(watchdog: watchdog, route: route))
        if let expected {
            #expect(found.count == 1 && found[0].hasPrefix("a.conf:" + expected), "\(found)")
        } else {
            #expect(found.isEmpty)
        }
    }
}
