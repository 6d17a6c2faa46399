// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresPool

/// `CaromQueryBenchmark URL TASKS SECONDS` prints how many `select 1` a second so many tasks have answered through a pool with a
/// connection for each: claim, query, decoding and return.
@main
struct QueryBenchmark {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let tasks = Int(arguments[2]), tasks > 0, let seconds = Int(arguments[3]),
            seconds > 0
        else {
            print("usage: CaromQueryBenchmark URL TASKS SECONDS")
            return
        }
        var policy = Policy()
        policy.maxSlots = tasks
        policy.perBackendMax = tasks
        let database = try PostgresPool(arguments[1], policy: policy, threads: 2)
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
}
