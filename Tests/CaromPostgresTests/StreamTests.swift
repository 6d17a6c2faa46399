// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct StreamTests {
        private struct Enough: Error {}

        private static func stillWorks(_ connection: PostgresConnection, _ connector: PostgresConnector)
            async throws
        {
            #expect(try await connection.query("select \(7)").decode(Int.self) == [7])
            #expect(connector.returned(connection) == .clean)
        }

        @Test(arguments: [0, 1, 1023, 1024, 1025, 100_000]) func everyRowComesOnceAndInOrder(count: Int)
            async throws
        {
            try await withSession { (connection, connector) async throws in
                let query: PostgresQuery = "select n, 'row ' || n from generate_series(1, \(count)) n"
                let seen = try await connection.stream(query) { rows in
                    var seen = 0
                    for try await row in rows {
                        let (number, name) = try row.decode(Int.self, String.self)
                        seen += 1
                        if number != seen || name != "row \(seen)" { throw Enough() }
                    }
                    return seen
                }
                #expect(seen == count)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func theServerDoesNotRunAhead() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp sequence made")
                try await connection.stream("select nextval('made') from generate_series(1, 100000)") {
                    for try await _ in $0 { break }
                }
                // A window of rows was made, and no more.
                #expect(try await connection.number("select last_value from made") == 1024)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func whoeverLeavesALoopLeavesItsTransactionWhole() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute("create temp table t (a int)")
                try await connection.transaction { (connection) async throws in
                    try await connection.execute("insert into t values (1)")
                    let first = try await connection.stream("select n from generate_series(1, 1000000) n") {
                        var first: Int?
                        for try await row in $0 {
                            first = try row.decode(Int.self)
                            break
                        }
                        return first
                    }
                    #expect(first == 1)
                    await #expect(throws: Enough.self) {
                        try await connection.stream(
                            "insert into t select generate_series(2, 3000) returning a"
                        ) {
                            for try await _ in $0 { throw Enough() }
                        }
                    }
                    #expect(connection.isInTransaction)
                    // The portal was closed, or the table could not be changed.
                    try await connection.execute("alter table t add b int")
                }
                #expect(try await connection.number("select count(*) from t") == 3000)
            }
        }

        @Test func aSecondLoopGoesOnWhereTheFirstWasLeft() async throws {
            try await withSession { (connection, connector) async throws in
                let halves = try await connection.stream("select generate_series(1, 3000)") { rows in
                    var halves = [[Int](), []]
                    for try await row in rows {
                        halves[0].append(try row.decode(Int.self))
                        if halves[0].count == 1500 { break }
                    }
                    for try await row in rows { halves[1].append(try row.decode(Int.self)) }
                    return halves
                }
                #expect(halves == [Array(1...1500), Array(1501...3000)])
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aQueryThatNobodyReadsIsCancelled() async throws {
            try await withSession { (connection, connector) async throws in
                let begin = ContinuousClock.now
                try await connection.stream("select pg_sleep(60)") { _ in }
                #expect(ContinuousClock.now - begin < .seconds(30))
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func anErrorInTheMiddleEndsTheLoop() async throws {
            try await withSession { (connection, connector) async throws in
                let error = await failure {
                    try await connection.stream("select 1 / (5000 - n) from generate_series(1, 9999) n") {
                        for try await _ in $0 {}
                    }
                }
                #expect(error.sqlState == "22012")
                let words = await failure {
                    try await connection.stream("selec 1") { for try await _ in $0 {} }
                }
                #expect(words.sqlState == "42601")
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aRowThatIsTooLargeIsAnErrorAndManyRowsAreNot() async throws {
            try await withSession { (connection, connector) async throws in
                let options = QueryOptions(maximumBytes: 50_000)
                let count = try await connection.stream(
                    "select repeat('x', 1000) from generate_series(1, 500)", options: options
                ) { rows in
                    var count = 0
                    for try await _ in rows { count += 1 }
                    return count
                }
                #expect(count == 500)
                let error = await failure {
                    try await connection.stream("select repeat('x', 60000)", options: options) {
                        for try await _ in $0 {}
                    }
                }
                #expect(error.code == .tooLarge)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test(arguments: ["copy t from stdin", "copy (select generate_series(1, 100000)) to stdout"])
        func aCopyIsRefused(sql: String) async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int)")
                let error = await failure {
                    try await connection.stream("\(raw: sql)") { for try await _ in $0 {} }
                }
                #expect(error.code == .invalidRequest)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func whileRowsAreReadTheConnectionIsBusy() async throws {
            try await withSession { (connection, connector) async throws in
                let escaped = try await connection.stream("select generate_series(1, 5)") { rows in
                    for try await _ in rows {
                        let error = await failure { try await connection.query("select 1") }
                        #expect(error.code == .busy)
                    }
                    return rows
                }
                for try await _ in escaped { Issue.record("a row came after the end") }
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aTaskThatIsCancelledLeavesNothingForTheNextClaimer() async throws {
            var policy = Policy()
            policy.maxSlots = 1
            let pool = try Pool(
                name: "one", resolver: StaticResolver([World.current.backend]),
                connector: World.current.connector(), policy: policy)
            try await withThrowingTaskGroup { group in
                group.addTask { try await pool.run() }
                for turn in 0..<6 {
                    let reader = Task {
                        try await pool.withConnection { connection in
                            try await connection.stream("select generate_series(1, 1000000)") {
                                var seen = 0
                                for try await _ in $0 {
                                    seen += 1
                                    if seen == 1 + turn * 900 { withUnsafeCurrentTask { $0?.cancel() } }
                                }
                            }
                        }
                    }
                    #expect(await failure { try await reader.value }.code == .cancelled)
                    let answer = try await pool.withConnection { try await $0.query("select \(turn)") }
                    #expect(try answer.decode(Int.self) == [turn])
                }
                #expect(pool.stats.totals.connects == 1, "a connection was thrown away")
                await pool.stop()
            }
        }
    }
}
