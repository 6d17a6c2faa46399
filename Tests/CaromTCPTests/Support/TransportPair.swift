// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTestSupport
import Glibc
import Testing

@testable import CaromTCP

/// Runs `body` as a task on a reactor of its own and ends the reactor afterwards.
func onReactor<R: Sendable>(_ body: @escaping @Sendable (Reactor) async throws -> R) async throws -> R {
    let reactor = try Reactor(name: "test")
    try reactor.start()
    defer { reactor.stop() }
    return try await Task(executorPreference: reactor) { try await body(reactor) }.value
}

/// Two ends of a Unix socket.
///
/// - Parameter sendBuffer: bytes of room the kernel is asked for; it has a least size.
func transportPair(on reactor: Reactor, sendBuffer: Int32? = nil) throws -> (Transport, Transport) {
    let ends = socketPair()
    let pair = [ends.0, ends.1]
    if var size = sendBuffer {
        for descriptor in pair {
            setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
    }
    let peer = SocketAddress(.unix(path: ""))
    return (
        try Transport(adopting: pair[0], peer: peer, on: reactor),
        try Transport(adopting: pair[1], peer: peer, on: reactor)
    )
}

extension Transport {
    func send(_ text: String) async throws {
        let outcome = try Array(text.utf8).withUnsafeBytes { try write($0) }
        #expect(outcome == .bytes(text.utf8.count))
    }

    func receive(_ count: Int, by size: Int = 64) async throws -> String {
        let waker = Waker()
        setHandler(waker)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: size)
        while bytes.count < count {
            switch try buffer.withUnsafeMutableBytes({ try read(into: $0) }) {
            case .bytes(let count): bytes += buffer[..<count]
            case .wouldBlock: await waker.wait()
            case .end: return String(decoding: bytes, as: UTF8.self)
            }
        }
        setHandler(nil)
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Transport {
    /// Writes pieces in one call.
    func write(_ pieces: [UnsafeRawBufferPointer]) throws(SystemError) -> WriteOutcome {
        try pieces.span.withUnsafeBufferPointer { pieces throws(SystemError) in try write(pieces) }
    }
}
