// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromReactor
import CaromTestSupport
import Synchronization
import Testing

@testable import CaromPostgres

/// A connection is closed when the server has ended the session, too: until then the server counts it.
@Suite struct CloseTests {
    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
        func set() { value.store(true, ordering: .sequentiallyConsistent) }
    }

    /// Logs in to a server that follows the script, for the time of `body`.
    private static func connected(
        to script: @escaping @Sendable (ScriptedPostgres.Session) async throws -> Void,
        _ body: (PostgresConnector, PostgresConnection, UInt16) async throws -> Void
    ) async throws {
        let group = try ReactorGroup(count: 1, name: "client")
        defer { group.stop() }
        let connector = PostgresConnector(
            PostgresConfiguration(user: "me", database: "mine", password: nil), reactors: group.reactors)
        try await ScriptedPostgres.run { session in
            try await session.login()
            try await script(session)
        } _: { backend in
            guard case .ip(_, let port) = backend.address else {
                preconditionFailure("scripted servers listen on TCP")
            }
            try await body(connector, connector.connect(to: backend, context: .test()), port)
            #expect(OpenSockets.connected(to: port) == 0)
        }
    }

    /// Reads the goodbye and what comes behind it, which must be the end of the stream.
    private static func hearEnd(_ session: ScriptedPostgres.Session) async throws {
        #expect(try await session.receive() == FrontendTag.terminate.rawValue)
        await #expect(throws: ScriptedPostgres.ClientLeft.self) { try await session.receive() }
    }

    @Test func theServersEndIsWaitedFor() async throws {
        let hasEnded = Flag()
        try await Self.connected { session in
            try await Self.hearEnd(session)
            for _ in 0..<1000 { await Task.yield() }
            hasEnded.set()
        } _: { connector, connection, _ in
            await connector.close(connection)
            #expect(hasEnded.isSet)
        }
    }

    @Test func whatTheServerStillSaysIsTakenOff() async throws {
        let hasSaidAll = Flag()
        try await Self.connected { session in
            try await Self.hearEnd(session)
            // More than sockets hold.
            try await session.send([UInt8](repeating: 0, count: 16 << 20))
            hasSaidAll.set()
        } _: { connector, connection, _ in
            await connector.close(connection)
            #expect(hasSaidAll.isSet)
        }
    }

    @Test func aCancelledCloseWaitsNoLonger() async throws {
        let isHeard = Flag()
        try await Self.connected { session in
            try await Self.hearEnd(session)
            isHeard.set()
            try? await Task.sleep(for: .seconds(600))
        } _: { connector, connection, port in
            let closing = Task { await connector.close(connection) }
            try await until { isHeard.isSet }
            #expect(OpenSockets.connected(to: port) == 1)
            closing.cancel()
            await closing.value
        }
    }

    @Test func whoeverStillUsesTheConnectionIsWoken() async throws {
        let isAsked = Flag()
        try await Self.connected { session in
            #expect(try await session.receive() == FrontendTag.query.rawValue)
            isAsked.set()
            try await session.silence()
        } _: { connector, connection, _ in
            let asking = Task { await failure { try await connector.isValid(connection) } }
            try await until { isAsked.isSet }
            await connector.close(connection)
            #expect(await asking.value.code == .connection)
        }
    }

    @Test func aServerThatNeverEndsCostsThePoolsTimeToClose() async throws {
        let group = try ReactorGroup(count: 1, name: "client")
        defer { group.stop() }
        let connector = PostgresConnector(
            PostgresConfiguration(user: "me", database: "mine", password: nil), reactors: group.reactors)
        try await ScriptedPostgres.run { session in
            try await session.login()
            try? await Task.sleep(for: .seconds(600))
        } _: { backend in
            var policy = Policy()
            policy.maxSlots = 1
            policy.closeTimeout = .milliseconds(200)
            let pool = try Pool(
                name: "test", resolver: StaticResolver([backend]), connector: connector, policy: policy)
            async let running: Void = pool.run()
            try await pool.withConnection { _ in }
            let start = ContinuousClock.now
            await pool.stop(grace: .seconds(60))
            let taken = ContinuousClock.now - start
            #expect(taken >= .milliseconds(200) && taken < .seconds(30))
            try await running
        }
    }
}
