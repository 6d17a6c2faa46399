// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTCP

struct RedisError: Error { let message: String }

struct RedisConnection: Sendable {
    let stream: TCPConnection

    /// Sends one command and reads its reply: a word, a number, a text, or nil.
    func send(_ words: String...) async throws -> String? {
        let command = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }
        try await stream.write(Array("*\(words.count)\r\n\(command.joined())".utf8))
        let line = try await stream.readLine(timeout: .seconds(5))
        if line.hasPrefix("-") { throw RedisError(message: String(line.dropFirst())) }
        guard line.hasPrefix("$") else { return String(line.dropFirst()) }
        guard let count = Int(line.dropFirst()), count >= 0 else { return nil }
        let text = try await stream.read(exactly: count + 2, timeout: .seconds(5))
        return String(decoding: text.dropLast(2), as: UTF8.self)
    }
}

struct RedisConnector: Connector {
    let tcp: TCPConnector

    func connect(to backend: Backend, context: ConnectContext) async throws -> RedisConnection {
        RedisConnection(stream: try await tcp.connect(to: backend, context: context))
    }
    func isValid(_ connection: RedisConnection) async throws { _ = try await connection.send("PING") }
    func returned(_ connection: RedisConnection) -> ReturnVerdict { tcp.returned(connection.stream) }
    func returned(_ connection: RedisConnection, after error: any Error) -> ReturnVerdict {
        // What the server refuses is an answer, and has been read.
        error is RedisError ? tcp.returned(connection.stream) : tcp.returned(connection.stream, after: error)
    }
    func isUsable(_ connection: RedisConnection, idleFor: Duration) -> Bool {
        tcp.isUsable(connection.stream, idleFor: idleFor)
    }
    func close(_ connection: RedisConnection) async { await connection.stream.close() }
}
