// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTestSupport
import Synchronization
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct PoolTests {
        /// A pool that runs for the time of `body`.
        private func withPool<R: Sendable>(
            _ world: World = .current, user: String = "with_trust", maxSlots: Int = 4,
            to backend: Backend? = nil,
            _ body: @Sendable (Pool<PostgresConnector>) async throws -> R
        ) async throws -> R {
            var policy = Policy()
            policy.maxSlots = maxSlots
            policy.spares = 1
            policy.connectTimeout = .seconds(5)
            policy.maxBackoff = .milliseconds(50)
            let pool = try Pool(
                name: "test", resolver: StaticResolver([backend ?? world.backend]),
                connector: world.connector(user: user, password: PostgresServer.password), policy: policy)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                let result: Result<R, any Error>
                do { result = .success(try await body(pool)) } catch { result = .failure(error) }
                let report = await pool.stop(grace: .seconds(5))
                #expect(report.revokedLeases.isEmpty)
                return try result.get()
            }
        }

        @Test(arguments: ["with_trust", "with_scram"]) func manyTasksShareFewConnections(user: String)
            async throws
        {
            try await withPool(user: user) { pool in
                let pids = try await withThrowingTaskGroup(of: Set<Int>.self) { group in
                    for task in 0..<32 {
                        group.addTask {
                            var pids: Set<Int> = []
                            for turn in 0..<25 {
                                let number = task * 1000 + turn
                                let row = try await pool.withConnection { connection in
                                    try await connection.query(
                                        sql: "select $1::int, pg_backend_pid()", [.int(number)])[0]
                                }
                                #expect(row[0].int == number)
                                pids.insert(try row[1, as: Int.self])
                            }
                            return pids
                        }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
                }
                #expect((1...4).contains(pids.count))
            }
        }

        @Test func whateverHoldersLeaveBehindTheNextOneFindsNothing() async throws {
            try await withPool(to: World.current.localBackend) { pool in
                let pids = try await withThrowingTaskGroup(of: Int.self) { group in
                    for task in 0..<24 {
                        group.addTask {
                            for turn in 0..<8 {
                                try await pool.withConnection { connection in
                                    #expect(!connection.isInTransaction)
                                    #expect(
                                        try await connection.query(sql: "select current_setting('work_mem')")[
                                            0][0]
                                            .string == "4MB")
                                    switch (task + turn) % 6 {
                                    case 0: try await connection.execute(sql: "begin; select 1")
                                    case 1: _ = try? await connection.query(sql: "select 1/0")
                                    case 2: try await connection.execute(sql: "set work_mem = '77MB'")
                                    case 3:
                                        let options = QueryOptions(timeout: .milliseconds(5))
                                        _ = try? await connection.query(
                                            sql: "select pg_sleep(60)", options: options)
                                    case 4: _ = try? await connection.query(sql: "copy pg_class to stdout")
                                    default: try await connection.execute(sql: "begin; savepoint a")
                                    }
                                }
                            }
                            return try await pool.withConnection { Int($0.processID) }
                        }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                }
                #expect((1...4).contains(pids.count))
                let stats = pool.stats
                #expect(stats.claimed == 0)
            }
        }

        @Test func aCancelledClaimerLeavesNothingBehind() async throws {
            try await withPool(maxSlots: 2) { (pool) async throws in
                for round in 0..<20 {
                    let work = Task {
                        try await pool.withConnection { try await $0.execute(sql: "select pg_sleep(60)") }
                    }
                    for _ in 0..<round * 20 { await Task.yield() }
                    work.cancel()
                    await #expect(throws: (any Error).self) { try await work.value }
                }
                #expect(try await pool.withConnection { try await $0.number("select 42") } == 42)
                #expect(pool.stats.claimed == 0)
            }
        }

        @Test func aConnectionsRoleCanBeAskedFor() async throws {
            try await withPool { (pool) async throws in
                var request = ClaimRequest()
                request.requirement = ["role": "primary"]
                #expect(try await pool.withConnection(request) { $0.role } == .primary)
                request.requirement = ["role": "standby"]
                await #expect(throws: PoolError.self) {
                    try await pool.withConnection(request, timeout: .milliseconds(50)) { _ in }
                }
            }
        }

        @Test func aWrongPasswordIsTheCauseThatClaimersSee() async throws {
            let world = World.current
            var policy = Policy()
            policy.failedAfter = .zero
            let pool = try Pool(
                name: "locked", resolver: StaticResolver([world.backend]),
                connector: world.connector(user: "with_scram", password: "wrong"), policy: policy)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.run() }
                do {
                    try await pool.withConnection(timeout: .seconds(2)) { _ in }
                    Issue.record("a wrong password was good enough")
                } catch let error as PoolError {
                    let cause = try #require(error.causes.first?.underlying as? PostgresError)
                    #expect(cause.sqlState == "28P01")
                    #expect(!"\(error)".contains("wrong"))
                }
                await pool.stop(grace: .zero)
            }
        }

        private final class Tally: Sendable {
            let served = Atomic<Int>(0)
            let failed = Atomic<Int>(0)
        }

        @Test func aServerThatDiesAndComesBackIsUsedAgain() async throws {
            let server = try await PostgresServer.launch()
            let world = World(server: server, reactors: World.current.reactors)
            let tally = Tally()
            try await withPool(world) { pool in
                let workers = Task {
                    await withDiscardingTaskGroup { group in
                        for _ in 0..<8 {
                            group.addTask {
                                while !Task.isCancelled {
                                    do {
                                        _ = try await pool.withConnection(timeout: .milliseconds(500)) {
                                            try await $0.number("select 1 from pg_sleep(0.001)")
                                        }
                                        tally.served.add(1, ordering: .relaxed)
                                    } catch is PostgresError {
                                        tally.failed.add(1, ordering: .relaxed)
                                    } catch is PoolError {
                                        tally.failed.add(1, ordering: .relaxed)
                                    } catch {
                                        Issue.record("another kind of error: \(error)")
                                    }
                                }
                            }
                        }
                    }
                }
                try await until { tally.served.load(ordering: .relaxed) >= 50 }
                try await server.crash()
                try await until { tally.failed.load(ordering: .relaxed) >= 8 }
                try await server.restart()
                let before = tally.served.load(ordering: .relaxed)
                try await until { tally.served.load(ordering: .relaxed) >= before + 50 }
                workers.cancel()
                await workers.value
                #expect(pool.stats.claimed == 0)
            }
            #expect(await OpenSockets.vanish(server.port))
            await server.stop()
        }
    }
}
