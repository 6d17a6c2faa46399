// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTCP

// Many tasks share three connections, and each must get the answers to its own questions.
let reactors = try ReactorGroup(count: 2)
var policy = Policy()
policy.maxSlots = 3
let pool = try Pool(
    name: "redis", resolver: try StaticResolver(parsing: CommandLine.arguments[1]),
    connector: RedisConnector(tcp: TCPConnector(reactors: reactors.reactors)), policy: policy)

try await withThrowingTaskGroup { group in
    group.addTask { try await pool.run() }
    let right = try await withThrowingTaskGroup(of: Int.self) { tasks in
        for number in 0..<40 {
            tasks.addTask {
                var right = 0
                for turn in 0..<25 {
                    let value = String(repeating: "\(number)\r\n", count: turn)
                    let found = try await pool.withConnection { connection in
                        _ = try await connection.send("SET", "key \(number)", value)
                        return try await connection.send("GET", "key \(number)")
                    }
                    if found == value { right += 1 }
                }
                return right
            }
        }
        var right = 0
        for try await number in tasks { right += number }
        return right
    }
    print("\(right) answers are right")
    do {
        _ = try await pool.withConnection { try await $0.send("INCR", "key 1") }
    } catch let error as RedisError {
        print("refused: \(error.message)")
    }
    print("nothing: \(try await pool.withConnection { try await $0.send("GET", "no such key") } ?? "nil")")
    print("connections: \(pool.stats.totals.connects)")
    await pool.stop()
}
reactors.stop()
