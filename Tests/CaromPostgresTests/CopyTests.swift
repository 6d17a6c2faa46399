// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct CopyTests {
        private struct Enough: Error {}

        private static func stillWorks(_ connection: PostgresConnection, _ connector: PostgresConnector)
            async throws
        {
            #expect(try await connection.query("select \(7)").decode(Int.self) == [7])
            #expect(connector.returned(connection) == .clean)
        }

        @Test func whatGoesInComesOut() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table \(identifier: "a \"b\"") (a int, b text)")
                let lines = (1...50_000).map { Array("\($0)\tline \($0)\n".utf8) }
                let pieces = AsyncStream { continuation in
                    for line in lines { continuation.yield(line) }
                    continuation.finish()
                }
                let count = try await connection.copyIn(
                    "copy \(identifier: "a \"b\"") from stdin", from: pieces)
                #expect(count == 50_000)
                let back = try await connection.copyOut(
                    "copy (select * from \(identifier: "a \"b\"") order by a) to stdout"
                ) { data in
                    var all: [UInt8] = []
                    for try await piece in data { all += piece }
                    return all
                }
                #expect(back == Array(lines.joined()))
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func whoeverGivesUpKeepsNothing() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int)")
                await #expect(throws: Enough.self) {
                    try await connection.copyIn("copy t from stdin") { writer in
                        try await writer.write("1\n2\n")
                        throw Enough()
                    }
                }
                #expect(try await connection.number("select count(*) from t") == 0)
                try await connection.transaction { (connection) async throws in
                    #expect(
                        try await connection.copyIn("copy t from stdin") { try await $0.write("1\n2") } == 2)
                    #expect(try await connection.copyIn("copy t from stdin") { _ in } == 0)
                }
                #expect(try await connection.number("select count(*) from t") == 2)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func whatTheServerRefusesIsSaidAtTheEnd() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int)")
                let error = await failure {
                    try await connection.copyIn("copy t from stdin") { writer in
                        for number in 0..<5000 {
                            try await writer.write(number == 10 ? "x\n" : "\(number)\n")
                        }
                    }
                }
                #expect(error.sqlState == "22P02")
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func smallAndLargePiecesKeepTheirOrderAndNoneIsTakenAfterTheEnd() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int, b text)")
                var late: PostgresCopyIn?
                let long = String(repeating: "x", count: 100_000)
                try await connection.copyIn("copy t from stdin") { writer in
                    late = writer
                    for number in 0..<4 {
                        try await writer.write("\(3 * number)\tshort\n\(3 * number + 1)\t")
                        try await writer.write("\(long)\n")
                        try await writer.write("\(3 * number + 2)\tshort\n")
                    }
                }
                let rows = try await connection.query("select a, length(b) from t").decode(Int.self, Int.self)
                #expect(
                    rows.map(\.0) == Array(0..<12)
                        && rows.map(\.1) == (0..<12).map { $0 % 3 == 1 ? 100_000 : 5 })
                let error = await failure { try await late?.write("13\tlost\n") }
                #expect(error.code == .invalidRequest)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aServerThatSpeaksWhileItIsWrittenToIsHeard() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int)")
                try await connection.execute(
                    sql: """
                        create function pg_temp.speak() returns trigger language plpgsql as
                        $$ begin raise notice '%', repeat('x', 2000); return new; end $$;
                        create trigger speak before insert on t for each row execute function pg_temp.speak()
                        """)
                // More than both sockets hold, in both directions.
                let rows = Array(String(repeating: "1\n", count: 100).utf8)
                let count = try await connection.copyIn("copy t from stdin") { writer in
                    for _ in 0..<100 { try await writer.write(rows) }
                }
                #expect(count == 10_000)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aLoopThatIsLeftCancelsTheCopy() async throws {
            try await withSession { (connection, connector) async throws in
                let begin = ContinuousClock.now
                try await connection.copyOut("copy (select generate_series(1, 100000000)) to stdout") {
                    for try await _ in $0 { break }
                }
                #expect(ContinuousClock.now - begin < .seconds(30))
                try await connection.copyOut("copy (select 1) to stdout") { _ in }
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func anErrorInTheMiddleEndsTheLoop() async throws {
            try await withSession { (connection, connector) async throws in
                let error = await failure {
                    try await connection.copyOut(
                        "copy (select 1 / (5000 - n) from generate_series(1, 9999) n) to stdout"
                    ) {
                        for try await _ in $0 {}
                    }
                }
                #expect(error.sqlState == "22012")
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func whatIsNoSuchCopyIsRefused() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create temp table t (a int)")
                for query: PostgresQuery in [
                    "select 1", "copy t to stdout", "create temp table u ()", "selec",
                    "copy t from stdin; select 1", "copy t from \(1)",
                ] {
                    let error = await failure { try await connection.copyIn(query) { _ in } }
                    #expect(error.code == .invalidRequest || error.sqlState == "42601")
                    try await Self.stillWorks(connection, connector)
                }
                let error = await failure { try await connection.copyOut("copy t from stdin") { _ in } }
                #expect(error.code == .invalidRequest)
                try await Self.stillWorks(connection, connector)
            }
        }

        @Test func aTaskThatIsCancelledLeavesAConnectionToBeCleaned() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute("create table copied (a int)")
                let copy = Task {
                    try await connection.copyIn("copy copied from stdin") { writer in
                        try await writer.write("1\n")
                        withUnsafeCurrentTask { $0?.cancel() }
                        while true {
                            try Task.checkCancellation()
                            try await writer.write("2\n")
                        }
                    }
                }
                await #expect(throws: CancellationError.self) { try await copy.value }
                #expect(connector.returned(connection) == .recycle)
                try await connector.onRecycle(connection)
                #expect(try await connection.number("select count(*) from copied") == 0)
                try await connection.execute("drop table copied")
                try await Self.stillWorks(connection, connector)
            }
        }
    }
}
