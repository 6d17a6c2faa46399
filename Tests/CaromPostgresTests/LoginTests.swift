// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTestSupport
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct LoginTests {
        @Test(arguments: ["with_trust", "with_clear", "with_md5", "with_scram"], [false, true])
        func everyMethodLetsTheRightPasswordIn(user: String, local: Bool) async throws {
            let world = World.current
            let connector = world.connector(user: user, password: PostgresServer.password)
            try await withSession(connector, to: local ? world.localBackend : world.backend) {
                (connection, _) async throws in
                let row = try await connection.query(sql: "select current_user, pg_backend_pid()")[0]
                #expect(row[0].string == user)
                #expect(row[1].int == Int(connection.processID))
            }
        }

        @Test(arguments: ["with_clear", "with_md5", "with_scram"])
        func aWrongPasswordIsAnAuthenticationError(user: String) async {
            let connector = World.current.connector(user: user, password: "wrong")
            let error = await failure {
                try await connector.connect(to: World.current.backend, context: .test())
            }
            #expect(error.code == .authentication)
            #expect(error.sqlState == "28P01")
            #expect(connector.classify(error) == .authentication)
        }

        @Test(arguments: ["with_clear", "with_md5", "with_scram"])
        func aMissingPasswordIsSaidBeforeTheServerCounts(user: String) async {
            let connector = World.current.connector(user: user)
            let error = await failure {
                try await connector.connect(to: World.current.backend, context: .test())
            }
            #expect(error.code == .authentication)
            #expect(error.message.contains("no") && error.message.contains(user))
        }

        @Test func aRoleThatIsRejectedIsAnAuthenticationError() async {
            let connector = World.current.connector(user: "blocked")
            let error = await failure {
                try await connector.connect(to: World.current.backend, context: .test())
            }
            #expect(error.code == .authentication)
            #expect(error.sqlState == "28000")
        }

        @Test func anMD5HashServesInPlaceOfThePassword() async throws {
            let connection = "postgres"
            let hash = try await withSession { (connection, _) async throws in
                try await connection.query(
                    sql: "select rolpassword from pg_authid where rolname = 'with_md5'")[0][
                        0, as: String.self]
            }
            #expect(hash.hasPrefix("md5"), "\(connection)")
            try await withSession(World.current.connector(user: "with_md5", password: hash)) {
                (connection, _) async throws in
                #expect(try await connection.number("select 1") == 1)
            }
        }

        @Test func anUnknownDatabaseIsTheServersError() async {
            let connector = World.current.connector(database: "nowhere")
            let error = await failure {
                try await connector.connect(to: World.current.backend, context: .test())
            }
            #expect(error.code == .server)
            #expect(error.sqlState == "3D000")
            #expect(connector.classify(error) == .authentication, "it is well, and lets us not in")
        }

        @Test func parametersOfTheConfigurationReachTheSession() async throws {
            let connector = World.current.connector {
                $0.parameters = [
                    "application_name": "billiards", "search_path": "pg_catalog", "work_mem": "1234kB",
                ]
            }
            try await withSession(connector) { (connection, _) async throws in
                let row = try await connection.query(
                    sql: "select current_setting('application_name'), current_setting('work_mem')")[0]
                #expect(row[0].string == "billiards")
                #expect(row[1].string == "1234kB")
            }
        }

        @Test func theRoleAndTheVersionAreKnownAfterConnecting() async throws {
            try await withSession { (connection, connector) async throws in
                #expect(connection.role == .primary)
                #expect(connector.attributes(of: connection) == ["role": "primary", "access": "read-write"])
                let version = try await connection.query(sql: "show server_version")[0][0].string
                #expect(connection.serverVersion == version)
            }
        }

        @Test(arguments: [0, 1]) func aConnectionIsMadeOnTheReactorAskedFor(affinity: Int) async throws {
            let connector = World.current.connector()
            let connection = try await connector.connect(
                to: World.current.backend, context: .test(affinity: affinity))
            #expect(connector.affinity(of: connection) == affinity)
            await connector.close(connection)
        }

        @Test func aServerThatIsNotThereIsAConnectionErrorAndLeavesNothingOpen() async throws {
            let connector = World.current.connector()
            let before = OpenSockets.unconnected()
            for _ in 0..<200 {
                let error = await failure {
                    // Port 1 is for tcpmux, which nobody runs.
                    try await connector.connect(
                        to: Backend(address: .ip("127.0.0.1", port: 1)), context: .test())
                }
                #expect(error.code == .connection)
            }
            let error = await failure {
                try await connector.connect(
                    to: Backend(address: .unix(path: "/nowhere/.s.PGSQL.1")), context: .test())
            }
            #expect(error.code == .connection)
            #expect(OpenSockets.unconnected() < before + 100)
        }

        @Test func aCancelledLoginIsNobodysFault() async throws {
            let connector = World.current.connector()
            let attempt = Task { try await connector.connect(to: World.current.backend, context: .test()) }
            attempt.cancel()
            let error = await failure { try await attempt.value }
            #expect(error.code == .cancelled)
            #expect(connector.classify(error) == .other)
        }

        @Test func neitherErrorsNorDescriptionsShowThePassword() async {
            let configuration = PostgresConfiguration(
                user: "with_scram", database: "postgres", password: "hush-hush")
            var dumped = ""
            dump(configuration, to: &dumped)
            let connector = PostgresConnector(configuration, reactors: World.current.reactors)
            let error = await failure {
                try await connector.connect(to: World.current.backend, context: .test())
            }
            for text in [
                dumped, "\(configuration)", String(reflecting: configuration), "\(error)",
                String(reflecting: error),
            ] {
                #expect(!text.contains("hush-hush"))
            }
        }
    }
}
