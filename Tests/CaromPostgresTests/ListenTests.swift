// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTCP
import Synchronization
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct ListenTests {
        private struct Enough: Error {}

        private final class Flag: Sendable {
            let value = Mutex(false)
        }

        /// Says something on a channel, as somebody else.
        private static func say(_ payload: String, on channel: String) async throws {
            try await withSession { (other, _) async throws in
                try await other.execute("select pg_notify(\(channel), \(payload))")
            }
        }

        @Test func whatIsSaidIsHeardInOrder() async throws {
            try await withSession { (connection, connector) async throws in
                let channel = "a \"strange\"; name"
                let heard = try await connection.listen(to: channel, "other") { notifications in
                    var heard: [String] = []
                    try await Self.say("one", on: channel)
                    for try await notification in notifications {
                        heard.append("\(notification.channel): \(notification.payload)")
                        if heard.count == 1 {
                            // While a query runs on the connection itself, too.
                            try await Self.say("two", on: "other")
                            #expect(try await connection.query("select \(5)").decode(Int.self) == [5])
                            try await connection.execute("select pg_notify('other', 'three')")
                        }
                        if heard.count == 3 { break }
                    }
                    return heard
                }
                #expect(heard == ["\(channel): one", "other: two", "other: three"])
                #expect(try await connection.query("select pg_listening_channels()").isEmpty)
                #expect(
                    connector.returned(connection) == .recycle,
                    "whoever listened leaves a session to be reset")
            }
        }

        @Test func aWaitThatIsCancelledLeavesTheConnectionUsable() async throws {
            try await withSession { (connection, connector) async throws in
                let isListening = Flag()
                let waiting = Task {
                    try await connection.listen(to: "nobody") { notifications in
                        isListening.value.withLock { $0 = true }
                        for try await _ in notifications {}
                    }
                }
                try await until { isListening.value.withLock { $0 } && connection.transport.hasHandler }
                waiting.cancel()
                #expect(await failure { try await waiting.value }.code == .cancelled)
                #expect(try await connection.query("select \(5)").decode(Int.self) == [5])
                try await connector.onRecycle(connection)
                #expect(try await connection.query("select pg_listening_channels()").isEmpty)
                #expect(connector.returned(connection) == .clean)
            }
        }

        @Test func aServerThatEndsTheSessionIsHeard() async throws {
            try await withSession { (connection, connector) async throws in
                let error = await failure {
                    try await connection.listen(to: "a") { notifications in
                        try await withSession { (other, _) async throws in
                            try await other.execute(
                                "select pg_terminate_backend(\(Int(connection.processID)))")
                        }
                        for try await _ in notifications {}
                    }
                }
                #expect(error.sqlState == "57P01")
                #expect(
                    connector.returned(connection) != .clean && connector.returned(connection) != .recycle)
            }
        }

        @Test func whoDoesNotListenKeepsNothing() async throws {
            try await withSession { (connection, _) async throws in
                await #expect(throws: Enough.self) {
                    try await connection.listen(to: "a") { _ in
                        try await connection.execute("select pg_notify('a', 'lost')")
                        throw Enough()
                    }
                }
                #expect(connection.state.notifications.isEmpty)
            }
        }

        @Test func noticesReachTheirHandler() async throws {
            let said = Mutex<[String]>([])
            let connector = World.current.connector {
                $0.onNotice = { notice in said.withLock { $0.append("\(notice.severity) \(notice.message)") }
                }
            }
            try await withSession(connector) { (connection, _) async throws in
                try await connection.execute(
                    "do \(raw: "$$ begin raise notice 'one'; raise warning 'two'; end $$")")
                try await connection.stream("select 1") { for try await _ in $0 {} }
                try await connection.execute(sql: "drop table if exists nowhere")
            }
            #expect(
                said.withLock { $0 } == [
                    "NOTICE one", "WARNING two", "NOTICE table \"nowhere\" does not exist, skipping",
                ])
        }
    }
}
