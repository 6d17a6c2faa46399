// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPostgres

@Suite struct StatementCacheTests {
    @Test func aTextIsPreparedOnceForTheSameTypes() throws {
        var cache = StatementCache()
        let made = cache.use("select $1", types: [.unspecified], limit: 9)
        let first = try #require(made)
        #expect(first.mustParse)
        #expect(
            cache.use("select $1", types: [.unspecified], limit: 9)
                == .init(name: first.name, mustParse: false, closes: []))
        let other = cache.use("select $1", types: [.bytea], limit: 9)
        #expect(other?.mustParse == true && other?.name != first.name)
    }

    @Test func whatWasUsedLongestAgoGoesFirstAndIsClosedOnce() throws {
        var cache = StatementCache()
        let names = ["select 1", "select 2"].map { cache.use($0, types: [], limit: 2)!.name }
        _ = cache.use("select 1", types: [], limit: 2)
        #expect(cache.use("select 3", types: [], limit: 2)?.closes == [names[1]])
        #expect(cache.use("select 1", types: [], limit: 2)?.closes == [])
        #expect(cache.count == 2)
    }

    @Test func whatFailedIsForgottenAndClosed() throws {
        var cache = StatementCache()
        let made = cache.use("select 1", types: [], limit: 2)
        let name = try #require(made).name
        cache.forget(name)
        let again = cache.use("select 1", types: [], limit: 2)
        #expect(again?.mustParse == true && again?.closes == [name] && again?.name != name)
        cache.removeAll()
        #expect(cache.use("select 1", types: [], limit: 2)?.closes == [])
    }

    @Test(arguments: [
        "", "create table t ()", "selected", "begin", "-- select\nselect 1", "call p()", "show all",
        "select " + String(repeating: "x", count: 20_000),
    ])
    func whatIsNotPlannedIsNotKept(sql: String) {
        var cache = StatementCache()
        #expect(cache.use(sql, types: [], limit: 9) == nil)
        #expect(cache.use("select 1", types: [], limit: 0) == nil)
        #expect(cache.use("\n ( SELECT 1)", types: [], limit: 9) != nil)
    }
}

extension ServerTests {
    @Suite struct StatementCacheServerTests {
        private static let kept: PostgresQuery = "select count(*) from pg_prepared_statements"

        @Test func statementsStayPreparedUpToTheLimit() async throws {
            let connector = World.current.connector { $0.statementCacheSize = 5 }
            try await withSession(connector) { (connection, connector) async throws in
                for turn in 0..<40 {
                    let number = turn % 8
                    #expect(
                        try await connection.query("select \(number) + \(raw: "\(number)")").decode(Int.self)
                            == [2 * number])
                    #expect(try await connection.number("select count(*) from pg_prepared_statements") <= 5)
                }
                #expect(try await connection.query(Self.kept).decode(Int.self) == [5])
                #expect(connector.returned(connection) == .clean)
            }
        }

        @Test func withoutALimitNothingIsKept() async throws {
            try await withSession(World.current.connector { $0.statementCacheSize = 0 }) {
                (connection, _) async throws in
                for _ in 0..<3 { #expect(try await connection.query(Self.kept).decode(Int.self) == [0]) }
            }
        }

        @Test(arguments: ["discard all", "deallocate all", "deallocate \"carom_client_1\""])
        func statementsThatAreGoneAreMadeAgain(sql: String) async throws {
            try await withSession { (connection, _) async throws in
                for _ in 0..<3 {
                    #expect(try await connection.query("select \(4)::int").decode(Int.self) == [4])
                    _ = try? await connection.execute(sql: sql)
                }
            }
        }

        @Test func aResetBetweenTwoClaimersIsFollowed() async throws {
            try await withSession { (connection, connector) async throws in
                for _ in 0..<3 {
                    #expect(try await connection.query("select \(4)::int").decode(Int.self) == [4])
                    connection.resetWhenReturned()
                    try await connector.onRecycle(connection)
                    #expect(connection.state.statements.client.count == 0)
                }
            }
        }

        @Test func aTableThatChangesItsColumnsIsReadAgain() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute("create temp table t as select 1 as a")
                for column in ["b", "c"] {
                    #expect(try await connection.query("select * from t where a = \(1)").count == 1)
                    try await connection.execute("alter table t add \(identifier: column) int")
                    let row = try await connection.query("select * from t where a = \(1)")
                    #expect(row.columns.last?.name == column)
                }
                // In a transaction the error has been made already; the next one finds a new plan.
                let error = await failure {
                    try await connection.transaction { (connection) async throws in
                        try await connection.execute("alter table t add d int")
                        _ = try await connection.query("select * from t where a = \(1)")
                    }
                }
                #expect(error.sqlState == "0A000")
                #expect(try await connection.query("select * from t where a = \(1)").columns.count == 3)
            }
        }

        @Test func aStatementThatDidSomethingIsNotSentAgain() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute("create temp sequence s")
                try await connection.execute(
                    sql:
                        "create function pg_temp.f() returns int language plpgsql as $$ begin perform nextval('s'); raise 'x' using errcode = '26000'; end $$"
                )
                for _ in 0..<2 {
                    #expect(
                        await failure { try await connection.query("select pg_temp.f()") }.sqlState == "26000"
                    )
                }
                #expect(try await connection.number("select last_value from s") == 2)
            }
        }

        @Test func aStatementThatFailsToParseIsNotKept() async throws {
            try await withSession { (connection, _) async throws in
                for _ in 0..<3 {
                    #expect(
                        await failure { try await connection.query("select nothing from nowhere") }.sqlState
                            == "42P01")
                }
                #expect(connection.state.statements.client.count == 0)
                try await connection.execute("create temp table nowhere (nothing int)")
                #expect(try await connection.query("select nothing from nowhere").isEmpty)
            }
        }
    }
}
