// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import Synchronization

@testable import CaromPostgres

/// A server that follows a script instead of the protocol, over the Reactor's own listener.
struct FakeServer: Sendable {
    /// The server's side of one connection.
    struct Session: ~Copyable {
        fileprivate let conversation: Conversation

        /// Reads the packet that begins the connection and returns its code: the protocol version or a request.
        @discardableResult
        func startup() async throws -> UInt32 {
            var bytes: [UInt8] = []
            while bytes.count < 8 { bytes.append(try await conversation.receiveByte()) }
            let words = [bytes[..<4], bytes[4...]].map { $0.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
            for _ in 8..<words[0] { _ = try await conversation.receiveByte() }
            return words[1]
        }

        /// Reads a message and returns its type.
        @discardableResult
        func receive() async throws -> UInt8 { try await conversation.receive().tag }

        func send(_ bytes: [UInt8]) async throws { try await conversation.send(bytes) }

        /// Lets anybody in, as a server that trusts everybody.
        func login(_ status: TransactionStatus = .idle) async throws {
            try await startup()
            var bytes: [UInt8] = []
            AuthenticationRequest.ok.encode(into: &bytes)
            BackendKeyData(processID: 1, key: [1, 2, 3, 4]).encode(into: &bytes)
            ReadyForQuery(status: status).encode(into: &bytes)
            try await send(bytes)
        }

        /// Says nothing until the client leaves.
        func silence() async throws {
            while true { _ = try await conversation.receiveByte() }
        }
    }

    /// Runs `body` while a server follows `script` for every connection it gets.
    static func run<R: Sendable>(
        _ script: @escaping @Sendable (borrowing Session) async throws -> Void,
        _ body: (Backend) async throws -> R
    ) async throws -> R {
        let reactor = try Reactor(name: "fake")
        try reactor.start()
        defer { reactor.stop() }
        let listener = try await withTaskExecutorPreference(reactor) {
            try Listener(on: SocketAddress(SocketAddress.Kind.ip("127.0.0.1", port: 0)), reactor: reactor)
        }
        let backend = Backend(address: .ip("127.0.0.1", port: listener.address.port))
        let serving = Task(executorPreference: reactor) {
            try await withThrowingDiscardingTaskGroup { group in
                while let accepted = try await listener.accept() {
                    group.addTask(executorPreference: reactor) { try await serve(accepted, reactor, script) }
                }
                group.cancelAll()
            }
        }
        let result: Result<R, any Error>
        do { result = .success(try await body(backend)) } catch { result = .failure(error) }
        await withTaskExecutorPreference(reactor) { listener.close() }
        _ = try await serving.value
        return try result.get()
    }

    private static func serve(
        _ accepted: Listener.Accepted, _ reactor: Reactor, _ script: (borrowing Session) async throws -> Void
    ) async throws {
        let stream = try Transport(adopting: accepted.descriptor, peer: accepted.peer, on: reactor)
        defer { stream.close() }
        let conversation = Conversation(stream, UnsafeSingleOwner(ConnectionState()), deadline: .never)
        defer { conversation.end() }
        do {
            try await script(Session(conversation: conversation))
        } catch let error as PostgresError where error.code == .connection || error.code == .cancelled {
            // The client has left, or the test is over.
        }
    }
}
