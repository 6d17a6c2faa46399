// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTCP
import Testing

@testable import CaromPostgres

extension ServerTests {
    /// What one holder does to a session must not show to the next one.
    @Suite struct ResetTests {
        private static func check(
            _ connector: PostgresConnector = World.current.connector(),
            sourceLocation: SourceLocation = #_sourceLocation,
            _ change: (PostgresConnection) async throws -> Void
        ) async throws {
            try await withSession(connector) { (connection, connector) async throws in
                try await change(connection)
                #expect(connector.returned(connection) == .recycle, sourceLocation: sourceLocation)
                try await connector.onRecycle(connection)
                let isClean = (connection.state.readiness == .idle && connection.output.isEmpty)
                #expect(isClean, sourceLocation: sourceLocation)
                let holds = connection.state.neededReset == .none
                #expect(holds, sourceLocation: sourceLocation)
                let row = try await connection.query(
                    sql: """
                        select current_setting('work_mem'), current_setting('application_name'), current_setting('timezone'),
                               to_regclass('t'), (select count(*) from pg_prepared_statements),
                               (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),
                               (select count(*) from pg_listening_channels()), pg_backend_pid()
                        """)[0]
                let fresh = try await withSession(connector) { (other, _) async throws in
                    try await other.query(
                        sql:
                            "select current_setting('work_mem'), current_setting('application_name'), current_setting('timezone')"
                    )[0]
                }
                #expect(row.prefix(3).map(\.string) == fresh.map(\.string), sourceLocation: sourceLocation)
                #expect(row[3].isNull, sourceLocation: sourceLocation)
                #expect(row[4...6].map(\.int) == [0, 0, 0], sourceLocation: sourceLocation)
                #expect(row[7].int == Int(connection.processID), sourceLocation: sourceLocation)
                let isReset = connection.state.reported == connection.state.initial
                #expect(isReset, sourceLocation: sourceLocation)
            }
        }

        @Test(arguments: [
            "set work_mem = '77MB'", "set application_name = 'mine'", "prepare p as select 1",
            "listen somewhere",
            "select set_config('timezone', 'Asia/Tokyo', false)", "begin; set work_mem = '77MB'; commit",
        ])
        func aChangeThatShowsIsUndoneByItself(sql: String) async throws {
            try await Self.check { try await $0.execute(sql: sql) }
            try await Self.check { connection in
                for statement in sql.split(separator: "; ") {
                    try await connection.execute(sql: String(statement), [])
                }
            }
        }

        @Test func everythingIsUndoneOnRequest() async throws {
            try await Self.check { connection in
                try await connection.execute(
                    sql: """
                        create temp table t (a int); select pg_advisory_lock(1); select set_config('work_mem', '77MB', false);
                        """)
                connection.resetWhenReturned()
            }
        }

        @Test func everythingIsUndoneIfConfigured() async throws {
            try await Self.check(World.current.connector { $0.recycling.discards = true }) { connection in
                try await connection.execute(sql: "create temp table t (a int); select pg_advisory_lock(1)")
            }
        }

        @Test func aCancelledChangeIsUndoneToo() async throws {
            try await Self.check { connection in
                let error = await failure {
                    try await connection.query(
                        sql: "set work_mem = '77MB'; commit; select pg_sleep(60)",
                        options: QueryOptions(timeout: .milliseconds(100)))
                }
                #expect(error.code == .timedOut)
            }
        }

        @Test func anOpenTransactionIsNoObstacleToAReset() async throws {
            try await Self.check { connection in
                try await connection.execute(
                    sql: "set work_mem = '77MB'; create temp table t (a int); commit; begin")
                connection.resetWhenReturned()
                _ = await failure { try await connection.query(sql: "select 1/0") }
            }
        }
    }
}
