// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct QueryTests {
        @Test func aSimpleQueryGivesRowsColumnsAndTag() async throws {
            try await withSession { (connection, _) async throws in
                let result = try await connection.query(
                    sql:
                        "select n as id, 'row ' || n as name, null::text as empty from generate_series(1, 3) n"
                )
                #expect(result.columns.map(\.name) == ["id", "name", "empty"])
                #expect(result.columns.map(\.type) == [.int4, .text, .text])
                #expect(result.map { $0["id"]?.int } == [1, 2, 3])
                #expect(
                    try result.map { row throws(PostgresError) in try row["name", as: String.self] } == [
                        "row 1", "row 2", "row 3",
                    ])
                #expect(
                    try result.map { row throws(PostgresError) in try row["empty", as: String?.self] } == [
                        nil, nil, nil,
                    ])
                #expect(result.commandTag == "SELECT 3")
                #expect(result.affectedRows == 3)
            }
        }

        @Test func severalStatementsGiveTheLastResultOrAllOfThem() async throws {
            try await withSession { (connection, _) async throws in
                let sql =
                    "select 1; select 2, 'x'; create temp table t (a int); insert into t values (1), (2)"
                #expect(try await connection.query(sql: "select 1; select 2")[0][0].int == 2)
                let all = try await connection.queryAll(sql: sql)
                #expect(all.map(\.commandTag) == ["SELECT 1", "SELECT 1", "CREATE TABLE", "INSERT 0 2"])
                #expect(all.map(\.count) == [1, 1, 0, 0])
                #expect(all.map(\.affectedRows) == [1, 1, nil, 2])
            }
        }

        @Test(arguments: ["", "   ", "-- nothing"]) func anEmptyStatementGivesAnEmptyResult(sql: String)
            async throws
        {
            try await withSession { (connection, _) async throws in
                #expect(try await connection.query(sql: sql).isEmpty)
                #expect(try await connection.query(sql: sql, []).commandTag == "")
                #expect(try await connection.execute(sql: sql) == nil)
            }
        }

        @Test func executeTellsHowManyRowsWereAffected() async throws {
            try await withSession { (connection, _) async throws in
                #expect(try await connection.execute(sql: "create temp table t (a int)") == nil)
                #expect(
                    try await connection.execute(sql: "insert into t select generate_series(1, 10)") == 10)
                #expect(try await connection.execute(sql: "update t set a = a + 1 where a > $1", [7]) == 3)
                #expect(try await connection.execute(sql: "delete from t where a = any(array[1, 2])") == 2)
                #expect(
                    try await connection.execute(sql: "select * from generate_series(1, 100000)") == 100_000)
            }
        }

        @Test func rowsWithoutColumnsAreStillRows() async throws {
            try await withSession { (connection, _) async throws in
                let result = try await connection.query(sql: "select from generate_series(1, 3)")
                #expect(result.count == 3)
                #expect(result.allSatisfy { $0.isEmpty })
            }
        }

        @Test func aValueOfManyMegabytesArrivesWhole() async throws {
            try await withSession { (connection, _) async throws in
                let text = try await connection.query(sql: "select repeat('carom ', 2000000)")[0][
                    0, as: String.self]
                #expect(text.utf8.count == 12_000_000)
                #expect(text.hasPrefix("carom carom") && text.hasSuffix("carom "))
                let back = try await connection.query(
                    sql: "select length($1), md5($1) = md5(repeat('carom ', 2000000))", [.text(text)])
                #expect(back[0][0].int == 12_000_000)
                #expect(back[0][1].bool == true)
            }
        }

        @Test func manyRowsArriveInOrder() async throws {
            try await withSession { (connection, _) async throws in
                let result = try await connection.query(sql: "select generate_series(1, 100000)")
                #expect(result.count == 100_000)
                #expect(zip(result, 1...).allSatisfy { $0[0].int == $1 })
            }
        }

        @Test func aRowOfAThousandColumnsArrivesWhole() async throws {
            try await withSession { (connection, _) async throws in
                let list = (1...1000).map { "\($0) as c\($0)" }.joined(separator: ", ")
                let row = try await connection.query(sql: "select \(list)")[0]
                #expect(row.map(\.int) == (1...1000).map { $0 })
                #expect(row["c777"]?.int == 777)
            }
        }

        @Test func noticesAreKeptWithTheirStatement() async throws {
            try await withSession { (connection, _) async throws in
                let results = try await connection.queryAll(
                    sql: """
                        select 1;
                        do $$ begin raise notice 'hello %', 1; raise warning 'careful' using hint = 'look', errcode = '01234'; end $$;
                        select 2
                        """)
                #expect(results.map(\.notices.count) == [0, 2, 0])
                let notices = results[1].notices
                #expect(notices.map(\.message) == ["hello 1", "careful"])
                #expect(notices.map(\.severity) == ["NOTICE", "WARNING"])
                #expect(notices[1].hint == "look")
                #expect(notices[1].sqlState == "01234")
            }
        }

        @Test func aNotificationOnTheWayDoesNotDisturb() async throws {
            try await withSession { (connection, _) async throws in
                #expect(try await connection.query(sql: "listen a; notify a, 'x'; select 5")[0][0].int == 5)
                #expect(try await connection.number("select 6") == 6)
            }
        }

        @Test func whateverTaskAsksTheWorkIsDoneOnTheConnectionsThread() async throws {
            try await withSession { (connection, _) async throws in
                let somebody = Somebody()
                #expect(try await somebody.ask(connection) == 7)
                #expect(try await onMain(connection) == 8)
                let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                    group.addTask { try await connection.number("select 9") }
                    return try await group.reduce(0, +)
                }
                #expect(answers == 9)
            }
        }

        private actor Somebody {
            var asked = 0

            func ask(_ connection: PostgresConnection) async throws -> Int {
                asked += 1
                return try await connection.transaction { connection in
                    // Still this actor's: the body may use what belongs to it.
                    asked += 1
                    return try await connection.number("select 5 + \(asked)")
                }
            }
        }

        @MainActor private func onMain(_ connection: PostgresConnection) async throws -> Int {
            try await connection.number("select 8")
        }

        @Test func twoQueriesAtTheSameTimeAreRefusedNotMixed() async throws {
            try await withSession { (connection, _) async throws in
                let first = Task { try await connection.number("select 1 from pg_sleep(0.5)") }
                try await until { connection.transport.hasHandler }
                let error = await failure { try await connection.query(sql: "select 2") }
                #expect(error.code == .busy)
                #expect(try await first.value == 1)
                #expect(try await connection.number("select 3") == 3)
            }
        }
    }
}
