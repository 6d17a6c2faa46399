// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTCP
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct QueryErrorTests {
        @Test(arguments: [
            ("select 1/0", "22012"), ("selec 1", "42601"), ("select * from nowhere", "42P01"),
            ("select 1; select 1/0; select 2", "22012"),
            ("select 1/(n - 5) from generate_series(1, 10) n", "22012"),
        ])
        func anErrorCarriesTheServersCodeAndLeavesTheConnectionUsable(sql: String, state: String) async throws
        {
            try await withSession { (connection, connector) async throws in
                for attempt in 0..<3 {
                    let error = await failure { try await connection.query(sql: sql) }
                    #expect(error.code == .server)
                    #expect(error.sqlState == state)
                    #expect(try await connection.number("select \(attempt)") == attempt)
                    #expect(connector.returned(connection) == .clean)
                }
            }
        }

        @Test(arguments: [
            ("select 1/$1::int", "22012"), ("selec $1", "42601"), ("select $1::int; select 2", "42601"),
        ])
        func anErrorInTheExtendedProtocolDoesSoToo(sql: String, state: String) async throws {
            try await withSession { (connection, connector) async throws in
                for attempt in 0..<3 {
                    let error = await failure { try await connection.query(sql: sql, [0]) }
                    #expect(error.sqlState == state)
                    #expect(
                        try await connection.query(sql: "select $1::int", [.int(attempt)])[0][0].int
                            == attempt)
                    #expect(connector.returned(connection) == .clean)
                }
                let error = await failure { try await connection.query(sql: "select $1::int", ["x"]) }
                #expect(error.sqlState == "22P02")
                #expect(try await connection.number("select 4") == 4)
            }
        }

        @Test func detailHintAndConstraintAreReported() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute(
                    sql: "create temp table t (a int constraint only_once unique); insert into t values (1)")
                let violation = await failure {
                    try await connection.execute(sql: "insert into t values ($1)", [1])
                }
                #expect(violation.sqlState == "23505")
                #expect(violation.constraint == "only_once")
                #expect(violation.detail?.contains("(1)") == true)
                let error = await failure {
                    try await connection.query(
                        sql: "do $$ begin raise 'no' using hint = 'try yes', detail = 'why'; end $$")
                }
                #expect(error.message == "no")
                #expect(error.hint == "try yes")
                #expect(error.detail == "why")
                #expect(error.description.contains("P0001"))
            }
        }

        @Test(arguments: ["simple", "extended"]) func aResultOverTheLimitIsAnErrorAndTheConnectionGoesOn(
            kind: String
        ) async throws {
            try await withSession { (connection, connector) async throws in
                let pid = connection.processID
                let options = QueryOptions(maximumBytes: 1 << 20)
                for sql in ["select generate_series(1, 20000000)", "select repeat('x', 20000000)"] {
                    let error = await failure {
                        kind == "simple"
                            ? try await connection.query(sql: sql, options: options)
                            : try await connection.query(sql: sql, [], options: options)
                    }
                    #expect(error.code == .tooLarge)
                    #expect(error.message.contains("1048576"))
                    #expect(try await connection.number("select pg_backend_pid()") == Int(pid))
                    #expect(connector.returned(connection) == .clean)
                }
            }
        }

        @Test(arguments: ["simple", "extended"]) func aCopyIsRefusedAndTheConnectionGoesOn(kind: String)
            async throws
        {
            try await withSession { (connection, connector) async throws in
                try await connection.execute(sql: "create temp table t (a int)")
                for sql in [
                    "copy t from stdin", "copy (select generate_series(1, 1000000)) to stdout",
                    "copy (select 1) to stdout",
                ] {
                    let error = await failure {
                        kind == "simple"
                            ? try await connection.query(sql: sql) : try await connection.query(sql: sql, [])
                    }
                    #expect(error.code == .invalidRequest)
                    #expect(try await connection.number("select count(*) from t") == 0)
                    #expect(connector.returned(connection) == .clean)
                }
            }
        }

        @Test func aSessionEndedByTheServerSaysWhyAndIsSuspect() async throws {
            try await withSession { (connection, connector) async throws in
                let error = await failure {
                    try await connection.query(
                        sql: "select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)")
                }
                #expect(error.code == .server)
                #expect(error.sqlState == "57P01")
                guard case .discardSuspectingBackend = connector.returned(connection) else {
                    Issue.record("verdict \(connector.returned(connection))")
                    return
                }
                let again = await failure { try await connection.query(sql: "select 1") }
                #expect(again.sqlState == "57P01")
            }
        }

        @Test func aClosedConnectionIsAnErrorAndNoTrap() async throws {
            try await withSession { (connection, connector) async throws in
                await connector.close(connection)
                let error = await failure { try await connection.query(sql: "select 1") }
                #expect(error.code == .connection)
                #expect(connector.returned(connection) == .discard(reason: "the connection was closed"))
            }
        }

        @Test func closingAConnectionWakesWhoWaitsOnIt() async throws {
            try await withSession { (connection, connector) async throws in
                let waiting = Task { try await connection.query(sql: "select pg_sleep(60)") }
                try await until { connection.transport.hasHandler }
                await connector.close(connection)
                let error = await failure { try await waiting.value }
                // Closing cancels what runs; whether the answer is still heard is a matter of luck.
                #expect(error.code == .connection || error.sqlState == "57014")
            }
        }
    }
}
