// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct CancellationTests {
        /// What the server is doing for a session, seen from another one.
        private static func activity(of connection: PostgresConnection) async throws -> (
            state: String, query: String
        )? {
            try await withSession { (observer, _) async throws in
                try await observer.query(
                    sql: "select state, query from pg_stat_activity where pid = $1",
                    [.int(Int(connection.processID))]
                ).first.map { row throws(PostgresError) in
                    (try row[0, as: String.self], try row[1, as: String.self])
                }
            }
        }

        private static func untilActive(_ connection: PostgresConnection) async throws {
            try await until { try await activity(of: connection)?.state == "active" }
        }

        @Test(arguments: [0, 1]) func cancellingTheTaskCancelsTheQueryOnTheServer(parameters: Int)
            async throws
        {
            try await withSession { (connection, connector) async throws in
                let query = Task {
                    parameters == 0
                        ? try await connection.query(sql: "select pg_sleep(60)")
                        : try await connection.query(sql: "select pg_sleep($1)", [60])
                }
                try await Self.untilActive(connection)
                query.cancel()
                let error = await failure { try await query.value }
                #expect(error.code == .cancelled)
                #expect(connector.returned(connection) == .recycle)
                let busy = await failure { try await connection.query(sql: "select 1") }
                #expect(busy.code == .busy)
                // Nobody has recycled it yet: the request was sent by the query itself.
                try await until { try await Self.activity(of: connection)?.state != "active" }
                try await connector.onRecycle(connection)
                #expect(connector.returned(connection) == .clean)
                #expect(try await connection.number("select pg_backend_pid()") == Int(connection.processID))
            }
        }

        @Test func aTimeoutCancelsTheQueryOnTheServer() async throws {
            try await withSession { (connection, connector) async throws in
                let options = QueryOptions(timeout: .milliseconds(100))
                let error = await failure {
                    try await connection.query(sql: "select pg_sleep(60)", options: options)
                }
                #expect(error.code == .timedOut)
                #expect(error.message.contains("0.1"))
                try await connector.onRecycle(connection)
                #expect(try await connection.number("select 1") == 1)
            }
        }

        @Test func aTaskThatIsCancelledAlreadySendsNothing() async throws {
            try await withSession { (connection, connector) async throws in
                let error = await Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return await failure { try await connection.query(sql: "create table never (a int)") }
                }.value
                #expect(error.code == .cancelled)
                #expect(connector.returned(connection) == .clean)
                #expect(try await connection.query(sql: "select to_regclass('never')")[0][0].isNull)
            }
        }

        @Test func cancelRequestsForTheWrongKeyDoNothing() async throws {
            try await withSession { (connection, connector) async throws in
                #expect(await connector.cancelRunningQuery(connection))
                #expect(try await connection.number("select 1") == 1)
            }
        }

        @Test func cancellingAtAnyMomentNeverMixesAnswers() async throws {
            let seed = UInt64.random(in: 0 ... .max)
            try await withSession { (connection, connector) async throws in
                var state = seed
                for round in 1...60 {
                    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                    let query = Task { try await connection.number("select \(round) from pg_sleep(0.002)") }
                    for _ in 0..<(state >> 33) % 400 { await Task.yield() }
                    query.cancel()
                    do {
                        #expect(try await query.value == round)
                    } catch let error as PostgresError where error.code == .cancelled {
                        // It came in time.
                    }
                    if connector.returned(connection) == .recycle {
                        try await connector.onRecycle(connection)
                    }
                    #expect(try await connection.number("select -\(round)") == -round, "seed \(seed)")
                }
            }
        }
    }
}
