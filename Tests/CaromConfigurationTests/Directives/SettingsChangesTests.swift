// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What is said of the difference between two configurations.
@Suite struct SettingsChangesTests {
    private static func changes(_ old: String, _ new: String) throws -> SettingsChanges {
        SettingsChanges(
            from: try ConfigurationFile.parse(text: old).settings,
            to: try ConfigurationFile.parse(text: new).settings)
    }

    private static let base = """
        client_max 5
        listen { host "127.0.0.1" port 7000 }
        storage "pg" { type "remote" host "127.0.0.1" }
        database "shop" { user "bob" {
            authentication "md5" password "first" storage "pg" pool "session" pool_size 4
        } }
        """

    @Test func nothingIsSaidOfWhatStays() throws {
        let changes = try Self.changes(Self.base, "# a comment\n" + Self.base)
        #expect(changes.lines == [] && changes.awaitingRestart == [])
    }

    @Test(arguments: [
        ("client_max 5", "client_max 6", "client_max is 6, was 5"),
        ("client_max 5", "", "client_max is 0, was 5"),
        (
            "port 7000", "port 7000 client_login_timeout 5",
            "listener 127.0.0.1:7000: client_login_timeout is 5, was nothing"
        ),
        ("host \"127.0.0.1\" }", "host \"[::1]\" }", "storage \"pg\": host is \"[::1]\", was \"127.0.0.1\""),
        (
            "type \"remote\"", "type \"remote\" watchdog { storage_db \"a\" storage_user \"b\" }",
            "watchdog of storage \"pg\" added"
        ),
        ("pool_size 4", "pool_size 8", "route shop.bob: pool_size is 8, was 4"),
        ("pool_size 4", "pool_size 4 storage_db \"x\"", "route shop.bob: storage_db is \"x\", was nothing"),
        (
            "{ user", "{ max_db_client_connections 3 user",
            "route shop.bob: max_db_client_connections is 3, was nothing"
        ),
        ("pool_size 4", "pool_size 4 options { \"a\" \"b\" }", "route shop.bob: options changed"),
    ])
    func eachDifferenceIsALine(_ old: String, _ new: String, _ line: String) throws {
        #expect(try Self.changes(Self.base, Self.base.replacing(old, with: new)).lines == [line])
    }

    @Test func secretsAreNotTold() throws {
        let changes = try Self.changes(Self.base, Self.base.replacing("\"first\"", with: "\"second\""))
        #expect(changes.lines == ["route shop.bob: password changed"])
    }

    @Test func whatComesAndGoesIsNamed() throws {
        let other = Self.base.replacing("port 7000", with: "port 7001").replacing("\"shop\"", with: "\"new\"")
            .replacing("\"pg\"", with: "\"db\"")
        #expect(
            try Self.changes(Self.base, other).lines == [
                "listener 127.0.0.1:7000 removed", "listener 127.0.0.1:7001 added", "storage \"pg\" removed",
                "storage \"db\" added", "route shop.bob removed", "route new.bob added",
            ])
    }

    @Test func whatIsThereFromTheStartAwaitsARestart() throws {
        let other = ("workers 3 readahead 4096\n" + Self.base).replacing(
            "port 7000", with: "port 7000 backlog 5")
        let changes = try Self.changes(Self.base, other)
        #expect(changes.awaitingRestart == ["workers", "readahead", "listener 127.0.0.1:7000: backlog"])
        #expect(changes.lines.count == 3)
    }
}
