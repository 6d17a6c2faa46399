// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Glibc
import Testing

@testable import CaromTCP

/// Lends a connection and the accepted other end of it, both on one reactor.
func withPair(_ body: @Sendable (TCPConnection, Peer, TCPConnector) async throws -> Void) async throws {
    let reactor = try Reactor(name: "test")
    try reactor.start()
    defer { reactor.stop() }
    let listener = try await withTaskExecutorPreference(reactor) {
        try Listener(on: SocketAddress(SocketAddress.Kind.ip("127.0.0.1", port: 0)), reactor: reactor)
    }
    let connector = TCPConnector(reactors: [reactor])
    let backend = Backend(address: .ip("127.0.0.1", port: listener.address.port))
    let connection = try await TCPConnection.connect(to: backend, on: reactor, timeout: .seconds(10))
    let peer = try await withTaskExecutorPreference(reactor) {
        let accepted = try #require(try await listener.accept())
        listener.close()
        return Peer(
            stream: try Transport(adopting: accepted.descriptor, peer: accepted.peer, on: reactor),
            reactor: reactor)
    }
    try await body(connection, peer, connector)
    await connection.close()
    await peer.close()
}

/// The far end, as simple as can be: it writes and closes, and never reads unless told.
struct Peer: Sendable {
    let stream: Transport
    let reactor: Reactor

    @concurrent func send(_ bytes: [UInt8]) async throws {
        try await withTaskExecutorPreference(reactor) {
            let outcome = try bytes.span.bytes.withUnsafeBytes { try stream.write($0) }
            #expect(outcome == .bytes(bytes.count))
        }
    }

    @concurrent func close() async {
        await withTaskExecutorPreference(reactor) { stream.close() }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    @Test(arguments: [false, true])
    func aReadThatEndedEarlyLeavesAConnectionThatIsNotLentAgain(isCancelled: Bool) async throws {
        try await withPair { connection, peer, connector in
            #expect(connector.returned(connection) == .clean)
            let read = Task { try await connection.read(exactly: 5, timeout: isCancelled ? nil : .zero) }
            if isCancelled { read.cancel() }
            await #expect(throws: SystemError.self) { try await read.value }
            #expect(connection.isSpoilt)
            #expect(connector.returned(connection) == .discard(reason: "a call on it has failed"))
        }
    }

    @Test func aWriteThatWasCancelledSpoilsTheConnection() async throws {
        try await withPair { connection, _, connector in
            let write = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await connection.write([1])
            }
            await #expect(throws: SystemError.self) { try await write.value }
            #expect(connector.returned(connection) != .clean)
        }
    }

    @Test func whoLeavesWithAnErrorOrSaysSoLeavesNothingForTheNext() async throws {
        try await withPair { connection, _, connector in
            let verdict = connector.returned(
                connection, after: SystemError(code: ECANCELED, operation: "test"))
            #expect(verdict != .clean && verdict != .recycle)
            #expect(connector.returned(connection) == .clean)
            connection.spoil()
            #expect(connector.returned(connection) != .clean)
        }
    }

    @Test func bytesArriveInPiecesAndAnEndIsEmpty() async throws {
        try await withPair { connection, peer, _ in
            try await peer.send([1, 2, 3])
            #expect(try await connection.read(exactly: 2) == [1, 2])
            #expect(try await connection.read(upTo: 10) == [3])
            async let late = connection.read(exactly: 2, timeout: .seconds(10))
            try await peer.send([4])
            try await peer.send([5])
            #expect(try await late == [4, 5])
            await peer.close()
            #expect(try await connection.read(upTo: 10) == [])
        }
    }

    @Test func linesAreReadOneByOneAndWhatComesBehindIsKept() async throws {
        try await withPair { connection, peer, connector in
            try await peer.send(Array("one\r\ntwo\n\nthr".utf8))
            #expect(try await connection.readLine() == "one")
            #expect(connector.returned(connection) == .discard(reason: "unread bytes"))
            #expect(!connector.isUsable(connection, idleFor: .zero))
            await #expect(throws: SystemError.self) { try await connector.isValid(connection) }
            #expect(try await connection.read(through: UInt8(ascii: "o")) == Array("two".utf8))
            #expect(try await connection.readLine() == "")
            #expect(try await connection.readLine() == "")
            async let late = connection.readLine(timeout: .seconds(10))
            try await peer.send(Array("ee\nfour".utf8))
            #expect(try await late == "three")
            #expect(try await connection.read(exactly: 4) == Array("four".utf8))
            #expect(connector.returned(connection) == .clean)
        }
    }

    @Test func aLineThatDoesNotEndIsAnError() async throws {
        try await withPair { connection, peer, connector in
            try await peer.send(Array("12345\n123456\n".utf8))
            #expect(try await connection.readLine(limit: 6) == "12345")
            let long = await #expect(throws: SystemError.self) { _ = try await connection.readLine(limit: 6) }
            #expect(long?.code == EMSGSIZE)
            #expect(connector.returned(connection) != .clean)
        }
        try await withPair { connection, peer, _ in
            try await peer.send(Array("123".utf8))
            await peer.close()
            let error = await #expect(throws: SystemError.self) { _ = try await connection.readLine() }
            #expect(error?.code == ECONNRESET)
        }
    }

    @Test func anEndBeforeTheLastByteIsAnError() async throws {
        try await withPair { connection, peer, _ in
            try await peer.send([1])
            await peer.close()
            let error = await #expect(throws: SystemError.self) { _ = try await connection.read(exactly: 2) }
            #expect(error?.code == ECONNRESET)
        }
    }

    @Test func waitsEndAtTheirTime() async throws {
        try await withPair { connection, _, _ in
            let reading = await #expect(throws: SystemError.self) {
                _ = try await connection.read(upTo: 1, timeout: .milliseconds(20))
            }
            #expect(reading?.code == ETIMEDOUT)
            // More than any socket buffer holds, and nobody reads.
            let writing = await #expect(throws: SystemError.self) {
                try await connection.write([UInt8](repeating: 0, count: 64 << 20), timeout: .milliseconds(20))
            }
            #expect(writing?.code == ETIMEDOUT)
        }
    }

    @Test func aCancelledReadEndsAtOnce() async throws {
        try await withPair { connection, _, _ in
            let reading = Task { try await connection.read(upTo: 1) }
            reading.cancel()
            let error = await #expect(throws: SystemError.self) { _ = try await reading.value }
            #expect(error?.code == ECANCELED)
        }
    }

    @Test func closingEndsAReadThatWaits() async throws {
        try await withPair { connection, _, _ in
            let reading = Task { try await connection.read(upTo: 1) }
            await Task.yield()
            await connection.close()
            let error = await #expect(throws: SystemError.self) { _ = try await reading.value }
            #expect(error?.code == ECONNABORTED)
            await connection.close()
        }
    }

    @Test func aConnectorWithoutACheckTrustsSilence() async throws {
        try await withPair { connection, peer, connector in
            #expect(connector.returned(connection) == .clean)
            #expect(connector.isUsable(connection, idleFor: .zero))
            try await connector.isValid(connection)
            try await peer.send([1])
            // On the reactor's thread the news is there only after a turn: a read waits for it.
            #expect(try await connection.read(exactly: 1) == [1])
            #expect(connector.returned(connection) == .clean)
            try await peer.send([2])
            await #expect(throws: SystemError.self) { try await connector.isValid(connection) }
            #expect(connector.returned(connection) != .clean)
            #expect(connector.returned(connection) != .recycle)
        }
    }

    @Test func aConnectorWithACheckRunsItBeforeLendingAgain() async throws {
        struct Sick: Error {}
        try await withPair { connection, _, _ in
            let connector = TCPConnector(reactors: [try Reactor()]) { _ in throw Sick() }
            #expect(connector.returned(connection) == .recycle)
            await #expect(throws: Sick.self) { try await connector.isValid(connection) }
            await connection.close()
            #expect(connector.returned(connection) == .discard(reason: "the connection was closed"))
        }
    }

    @Test func connectingToNobodyIsAnError() async throws {
        let reactor = try Reactor(name: "test")
        try reactor.start()
        defer { reactor.stop() }
        let error = await #expect(throws: SystemError.self) {
            _ = try await TCPConnection.connect(
                to: Backend(address: .unix(path: "/nonexistent/socket")), on: reactor)
        }
        #expect(error?.code == ENOENT)
    }
}
