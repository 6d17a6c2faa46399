// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import CaromTestSupport
import Glibc
import Testing

@testable import CaromPostgres

/// Servers that say why and hang up before they are written to: what fails is our write, and the reason is still to be read.
@Suite struct LastWordsTests {
    private static func words(_ severity: ErrorFields.Severity, _ message: String) -> [UInt8] {
        var bytes: [UInt8] = []
        ErrorFields(severity: severity, code: .adminShutdown, message: message).encode(into: &bytes)
        return bytes
    }

    /// Sends to a server that has said `words` and closed.
    ///
    /// - Parameter isTrusted: see `Conversation.send`.
    private static func send(
        after words: [UInt8], isTrusted: Bool = true, isInsideReply: Bool = false
    ) async throws -> PostgresError {
        let reactor = try Reactor(name: "test")
        try reactor.start()
        defer { reactor.stop() }
        return try await Task(executorPreference: reactor) {
            let (near, far) = socketPair()
            let transport = try Transport(
                adopting: near, peer: SocketAddress(.unix(path: "")), on: reactor)
            defer { transport.close() }
            let session = ServerSession()
            if isInsideReply {
                try session.state.send(.query)
                _ = session.state.receive(([68, 0, 0, 1, 0, 0, 1] as [UInt8]).span.bytes, limits: .server())
                let isInside = session.state.isInsideReply
                #expect(isInside)
            }
            let sent = words.withUnsafeBytes { Glibc.send(far, $0.baseAddress, $0.count, 0) }
            #expect(sent == words.count)
            Glibc.close(far)
            let conversation = Conversation(transport, session, deadline: .now + .seconds(20))
            defer { conversation.end() }
            return await failure { try await conversation.send([1, 2, 3], isTrusted: isTrusted) }
        }.value
    }

    @Test func whatItSaidIsTheReason() async throws {
        let error = try await Self.send(after: Self.words(.fatal, "going down"))
        #expect(error.code == .server && error.sqlState == "57P01" && error.message == "going down")
    }

    @Test func whatItSaidBehindOtherMessagesIsTheReason() async throws {
        let notice = Array(Self.words(.error, "not this one"))
        let error = try await Self.send(after: notice + Self.words(.fatal, "going down"))
        #expect(error.message == "going down")
    }

    @Test(arguments: [[], Array("E\u{7f}\u{7f}\u{7f}\u{7f}boo".utf8), Self.words(.error, "a"), [69, 0, 0]])
    func withoutAWordOrWithHalfOfOneTheWriteIsTheReason(_ words: [UInt8]) async throws {
        let error = try await Self.send(after: words)
        #expect(error.code == .connection && error.message.contains("write to"))
    }

    @Test func whatComesInTheOpenBeforeEncryptionIsNotBelieved() async throws {
        let error = try await Self.send(after: Self.words(.fatal, "do not use TLS"), isTrusted: false)
        #expect(error.code == .connection && !error.message.contains("TLS"))
    }

    @Test func theMiddleOfAMessageIsNotTakenForAWord() async throws {
        let error = try await Self.send(after: Self.words(.fatal, "a value"), isInsideReply: true)
        #expect(error.code == .connection)
    }
}
