// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresPool

/// `CaromQueryBenchmark URL TASKS SECONDS` prints how many `select 1` a second so many tasks have answered through a pool with a
/// connection for each: claim, query, decoding and return. `CaromQueryBenchmark URL out ROWS` and `in ROWS` print how many
/// megabytes a second COPY brings or takes, in rows of a hundred bytes.
@main
struct QueryBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let number = Int(arguments[3]), number > 0 else { return usage() }
        switch arguments[2] {
        case "out": try await copyOut(arguments[1], rows: number)
        case "in": try await copyIn(arguments[1], rows: number)
        case let text:
            guard let tasks = Int(text), tasks > 0 else { return usage() }
            try await queries(arguments[1], tasks: tasks, seconds: number)
        }
    }

    static func usage() { print("usage: CaromQueryBenchmark URL TASKS|out|in SECONDS|ROWS") }

    static func queries(_ url: String, tasks: Int, seconds: Int) async throws {
        var policy = Policy()
        policy.maxSlots = tasks
        policy.perBackendMax = tasks
        // One event loop, as the drivers beside it have.
        let database = try PostgresPool(url, policy: policy, threads: 1)
        async let running: Void = database.run()
        _ = try await run(database, tasks: tasks, for: .milliseconds(200))
        print(Int(try await run(database, tasks: tasks, for: .seconds(seconds))))
        await database.stop()
        try await running
    }

    static func run(_ database: PostgresPool, tasks: Int, for duration: Duration) async throws -> Double {
        let clock = ContinuousClock()
        let begin = clock.now
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var count = 0
                    while begin.duration(to: clock.now) < duration {
                        guard try await database.query("select 1").decode(Int.self) == [1] else { return 0 }
                        count += 1
                    }
                    return count
                }
            }
            var sum = 0
            for try await count in group { sum += count }
            return sum
        }
        return Double(count) / (begin.duration(to: clock.now) / .seconds(1))
    }

    /// With a connection of its own, which is there when the clock starts.
    static func withDatabase(
        _ url: String, _ body: (PostgresConnection) async throws -> Int
    ) async throws {
        let database = try PostgresPool(url, threads: 1)
        async let running: Void = database.run()
        let clock = ContinuousClock()
        let (bytes, time) = try await database.withConnection { connection in
            let begin = clock.now
            return (try await body(connection), begin.duration(to: clock.now))
        }
        print(Int(Double(bytes) / 1e6 / (time / .seconds(1))))
        await database.stop()
        try await running
    }

    static func copyOut(_ url: String, rows: Int) async throws {
        try await withDatabase(url) { connection in
            let statement: PostgresQuery =
                "copy (select repeat('x', 99) from generate_series(1, \(raw: "\(rows)"))) to stdout"
            return try await connection.copyOut(statement) { pieces in
                var bytes = 0
                for try await piece in pieces { bytes += piece.count }
                return bytes
            }
        }
    }

    static func copyIn(_ url: String, rows: Int) async throws {
        let row = Array((String(repeating: "x", count: 99) + "\n").utf8)
        try await withDatabase(url) { connection in
            try await connection.execute("create temporary table taken (text text)")
            return try await connection.copyIn("copy taken from stdin") { writer in
                for _ in 0..<rows { try await writer.write(row) }
            } * row.count
        }
    }
}
