// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromReactor
import CaromTestSupport
import Testing

@testable import CaromPostgres

/// Servers that are none, or mean harm: each costs one connection and a typed error, never a trap or a wait without end.
@Suite struct HostileServerTests {
    private static func message(_ tag: Character, length: UInt32, _ body: [UInt8] = []) -> [UInt8] {
        var bytes = [tag.asciiValue ?? 0]
        bytes.append32(length)
        return bytes + body
    }

    /// Connects to a server that follows the script and returns the error that must come of it.
    private static func refusal(
        within timeout: Duration = .seconds(20),
        _ script: @escaping @Sendable (ScriptedPostgres.Session) async throws -> Void
    ) async throws -> PostgresError {
        let group = try ReactorGroup(count: 1, name: "client")
        defer { group.stop() }
        let connector = PostgresConnector(
            PostgresConfiguration(user: "me", database: "mine", password: "secret"), reactors: group.reactors)
        return try await ScriptedPostgres.run(script) { backend in
            guard case .ip(_, let port) = backend.address else {
                preconditionFailure("scripted servers listen on TCP")
            }
            let error = await failure {
                try await connector.connect(to: backend, context: .test(within: timeout))
            }
            #expect(OpenSockets.connected(to: port) == 0)
            return error
        }
    }

    @Test func aSilentServerIsGivenUpAtTheTimeout() async throws {
        let start = ContinuousClock.now
        let error = try await Self.refusal(within: .milliseconds(200)) { try await $0.silence() }
        #expect(error.code == .timedOut)
        #expect(ContinuousClock.now - start >= .milliseconds(200))
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "text"), ("\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}", "zeroes"),
        ("E\u{7f}\u{7f}\u{7f}\u{7f}boo", "a huge error"),
    ])
    func garbageIsAProtocolViolation(text: String, kind: String) async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Array(text.utf8))
            try await session.silence()
        }
        #expect(error.code == .protocolViolation, "\(kind)")
    }

    @Test(arguments: [0, 3, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] as [UInt32])
    func aLengthThatCannotBeIsAProtocolViolation(length: UInt32) async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Self.message("R", length: length, [0, 0, 0, 0]))
            try await session.silence()
        }
        #expect(error.code == .protocolViolation)
    }

    @Test func anErrorWithoutFieldsIsStillAnError() async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Self.message("E", length: 5, [0]))
        }
        #expect(error.code == .server)
        #expect(error.sqlState == nil)
        #expect(!error.message.isEmpty)
    }

    @Test func anErrorFromBeforeVersionThreeIsNoTrap() async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Array("EFATAL:  unsupported frontend protocol\n\u{0}".utf8))
        }
        #expect(error.code == .protocolViolation)
    }

    @Test(arguments: [0, 1, 4, 8]) func anEarlyEndIsAConnectionError(sent: Int) async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Array(Self.message("R", length: 8, [0, 0, 0, 0]).prefix(sent)))
        }
        #expect(error.code == .connection)
    }

    @Test func anUnknownMethodOfAuthenticationIsNamed() async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            try await session.send(Self.message("R", length: 8, [0, 0, 0, 7]))
            try await session.silence()
        }
        #expect(error.code == .authentication)
        #expect(error.message.contains("7"))
    }

    @Test func aServerThatSkipsItsOwnProofIsNotBelieved() async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            var bytes: [UInt8] = []
            AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256"]).encode(into: &bytes)
            try await session.send(bytes)
            try await session.receive()
            bytes = []
            AuthenticationRequest.ok.encode(into: &bytes)
            ReadyForQuery(status: .idle).encode(into: &bytes)
            try await session.send(bytes)
            try await session.silence()
        }
        #expect(error.code == .protocolViolation)
    }

    @Test(arguments: ["r=,s=,i=0", "r=x,s=QUJD,i=4096", "nonsense", "", "r=x,s=QUJD,i=2000000000"])
    func aBrokenSCRAMChallengeIsAnError(challenge: String) async throws {
        let error = try await Self.refusal { session in
            try await session.startup()
            var bytes: [UInt8] = []
            AuthenticationRequest.sasl(mechanisms: ["SCRAM-SHA-256"]).encode(into: &bytes)
            try await session.send(bytes)
            try await session.receive()
            bytes = []
            AuthenticationRequest.saslContinue(Array(challenge.utf8)).encode(into: &bytes)
            try await session.send(bytes)
            try await session.silence()
        }
        #expect(error.code == .authentication)
    }

    @Test func messagesThatHaveNoPlaceInALoginEndIt() async throws {
        for tag in "DCTZKn1234GHd" {
            let error = try await Self.refusal { session in
                try await session.startup()
                try await session.send(Self.message(tag, length: 5, [0]))
                try await session.silence()
            }
            #expect(error.code == .protocolViolation, "\(tag)")
        }
    }

    @Test func noticesWithoutEndAreCutOffByTheTimeout() async throws {
        let error = try await Self.refusal(within: .milliseconds(300)) { session in
            try await session.startup()
            let notices = Array(repeating: Self.message("N", length: 5, [0]), count: 1000).flatMap { $0 }
            while true { try await session.send(notices) }
        }
        #expect(error.code == .timedOut)
    }

    /// Answers to a first query that no server gives.
    @Test(
        arguments: [
            ("a row without a description", [0x44, 0, 0, 0, 10, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]),
            ("a row that lies about its values", [0x54, 0, 0, 0, 6, 0, 0, 0x44, 0, 0, 0, 6, 0, 3]),
            ("a description that lies about its columns", [0x54, 0, 0, 0, 6, 0xFF, 0xFF]),
            ("an unknown type", [0x7A, 0, 0, 0, 4]), ("a second login", [0x52, 0, 0, 0, 8, 0, 0, 0, 0]),
            ("ready, and no result", [0x5A, 0, 0, 0, 5, 0x49]),
            ("ready, of no known status", [0x5A, 0, 0, 0, 5, 0x58]),
            ("a length below four", [0x44, 0, 0, 0, 1]),
        ] as [(String, [UInt8])])
    func nonsenseInAnswerToAQueryIsAProtocolViolation(kind: String, bytes: [UInt8]) async throws {
        let group = try ReactorGroup(count: 1, name: "client")
        defer { group.stop() }
        let connector = PostgresConnector(
            PostgresConfiguration(user: "me", database: "mine"), reactors: group.reactors)
        try await ScriptedPostgres.run { session in
            try await session.login()
            try await session.receive()
            try await session.send(bytes)
            try await session.silence()
        } _: { backend in
            try await withSession(connector, to: backend) { (connection, _) async throws in
                let error = await failure { try await connection.query(sql: "select 1") }
                #expect(error.code == .protocolViolation, "\(kind)")
            }
        }
    }

    @Test func aRowThatNeverEndsIsNotWaitedForOnceItIsTooLarge() async throws {
        let group = try ReactorGroup(count: 1, name: "client")
        defer { group.stop() }
        let connector = PostgresConnector(
            PostgresConfiguration(user: "me", database: "mine"), reactors: group.reactors)
        try await ScriptedPostgres.run { session in
            // A cancel request is heard, and changes nothing.
            guard try await session.startup() == ProtocolVersion.v3_0.code else { return }
            var bytes: [UInt8] = []
            AuthenticationRequest.ok.encode(into: &bytes)
            ReadyForQuery(status: .idle).encode(into: &bytes)
            try await session.send(bytes)
            try await session.receive()
            try await session.send(
                [0x54, 0, 0, 0, 6, 0, 0] + Self.message("D", length: 0x3FFF_FFFF, [0, 0]))
            let piece = [UInt8](repeating: 0, count: 1 << 16)
            while true { try await session.send(piece) }
        } _: { backend in
            try await withSession(connector, to: backend) { (connection, _) async throws in
                let options = QueryOptions(maximumBytes: 1 << 20, timeout: .milliseconds(300))
                let error = await failure { try await connection.query(sql: "select 1", options: options) }
                #expect(error.code == .timedOut)
                let holds = connection.state.unread.count < 1 << 20
                #expect(holds)
            }
        }
    }
}
