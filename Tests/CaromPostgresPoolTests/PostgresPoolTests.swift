// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromTLS
import CaromTestSupport
import InMemoryLogging
import Logging
import Testing

@testable import CaromPostgresPool

@Suite struct PostgresURLTests {
    @Test func everythingThatAURLSays() throws {
        let url = try PostgresURL(
            "postgres://app:p%40ss%3A%2F@db1:6000,[::1]:6001,db3/orders%20old?sslmode=require&application_name=x%26y"
                + "&target_session_attrs=read-write")
        #expect(
            url.hosts == [
                .init(name: "db1", port: 6000), .init(name: "::1", port: 6001),
                .init(name: "db3", port: 5432),
            ])
        #expect(url.user == "app" && url.password == "p@ss:/" && url.database == "orders old")
        #expect(url.encryption.mode == .require && url.role == .primary)
        #expect(url.parameters == ["application_name": "x&y"])
    }

    @Test func whatIsLeftOut() throws {
        let url = try PostgresURL("postgresql://me@/")
        #expect(url.hosts.isEmpty)
        #expect(url.user == "me" && url.password == nil && url.database == "me")
        #expect(url.encryption.mode == .prefer && url.role == nil)
        #expect(
            try PostgresURL("postgres:///d?host=/run/postgresql").hosts == [
                .init(name: "/run/postgresql", port: 5432)
            ])
        #expect(try PostgresURL("postgres://h/d?sslmode=verify-full").encryption.authorityFile == "system")
    }

    @Test(arguments: [
        "", "http://h/d", "postgres://h:0/d", "postgres://h:x/d", "postgres://h:70000/d",
        "postgres://h/d?sslmode=maybe",
        "postgres://h/d?unheard=of", "postgres://h/d?sslmode", "postgres://%zz@h/d", "postgres://a%00b@h/d",
        "postgres://%4",
        "postgres://h/d?target_session_attrs=prefer-standby",
    ])
    func whatCannotBeUsedIsAnErrorInWords(text: String) {
        let error = #expect(throws: PostgresError.self) { try PostgresURL(text) }
        #expect(error?.code == .invalidRequest)
    }

    @Test func noErrorHasThePassword() {
        let error = #expect(throws: PostgresError.self) { try PostgresURL("postgres://me:sesame@h:x/d") }
        #expect(error?.description.contains("sesame") == false)
    }
}

@Suite(.withServer, .serialized) struct PostgresPoolTests {
    private static func url(_ rest: String = "?sslmode=disable") -> String {
        "postgres://with_scram:\(PostgresServer.password)@127.0.0.1:\(ServerScope.port)/postgres\(rest)"
    }

    @Test(arguments: ["?sslmode=disable", "", "?sslmode=disable&target_session_attrs=primary"])
    func fromAURLToTheFirstRow(rest: String) async throws {
        let database = try PostgresPool(Self.url(rest))
        async let running: Void = database.run()
        let rows = try await database.query("select n, n::text from generate_series(1, \(2)) n")
        #expect(try rows.decode(Int.self, String.self).map(\.1) == ["1", "2"])
        let sum = try await database.transaction { connection in
            try await connection.query("select \(1)::int + \(2)::int").decode(Int.self)[0]
        }
        #expect(sum == 3)
        #expect(await database.stop().unfinishedOperations == 0)
        try await running
        // Its event loops have ended with it: a second run does not begin.
        let error = await #expect(throws: PoolError.self) { try await database.run() }
        #expect(error?.code == .hasRun)
    }

    @Test func aResolverOfYourOwnSaysWhereTheServersAre() async throws {
        let url = "postgres://with_scram:\(PostgresServer.password)@/postgres?sslmode=disable"
        let address = BackendAddress.ip("127.0.0.1", port: UInt16(ServerScope.port))
        let database = try PostgresPool(
            url, resolver: StaticResolver([Backend(name: "mine", address: address)]))
        async let running: Void = database.run()
        #expect(try await database.query("select 1").decode(Int.self) == [1])
        #expect(database.pool.stats.backends.map(\.backend.name) == ["mine"])
        await database.stop()
        try await running
        let error = #expect(throws: PostgresError.self) {
            try PostgresPool(Self.url(), resolver: StaticResolver([]))
        }
        #expect(error?.code == .invalidRequest)
    }

    @Test func theLoggerHearsOfServersThatDie() async throws {
        let handler = InMemoryLogHandler()
        let logger = Logger(label: "test", factory: { _ in handler })
        let database = try PostgresPool(
            "postgres://me@127.0.0.1:1/db?sslmode=disable", logger: logger)
        async let running: Void = database.run()
        await #expect(throws: PoolError.self) { try await database.query("select 1") }
        await database.stop()
        try await running
        #expect(handler.entries.contains { $0.level == .warning && "\($0.message)".contains("is dead") })
    }

    @Test func aStandbyThatIsNotThereIsSaidToBeMissing() async throws {
        let database = try PostgresPool(Self.url("?sslmode=disable&target_session_attrs=standby"))
        async let running: Void = database.run()
        let error = await #expect(throws: PoolError.self) {
            try await database.withConnection(timeout: .milliseconds(500)) { _ in }
        }
        #expect(error?.message.contains("no standby among: ") == true)
        await database.stop()
        try await running
    }

    @Test func onePoolThatIsNeverRunIsFreed() throws {
        weak var database: PostgresPool?
        do {
            let mine = try PostgresPool(Self.url())
            database = mine
        }
        #expect(database == nil)
    }
}
