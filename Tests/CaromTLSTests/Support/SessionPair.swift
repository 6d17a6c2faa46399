// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import CaromTestSupport
import Glibc

/// A client and a server session over a non-blocking socket pair, driven in turns by one thread.
final class SessionPair {
    let client: TLSSession
    let server: TLSSession
    let clientSocket: Int32
    let serverSocket: Int32
    private var open: Set<Int32>
    private let carriers: (SocketCarrier, SocketCarrier)

    init(_ clientContext: TLSContext, _ serverContext: TLSContext, host: String? = "db.example.com") throws {
        let pair = socketPair()
        (clientSocket, serverSocket) = pair
        open = [pair.0, pair.1]
        carriers = (SocketCarrier(descriptor: pair.0), SocketCarrier(descriptor: pair.1))
        client = try TLSSession(clientContext, over: carriers.0, host: host)
        server = try TLSSession(serverContext, over: carriers.1)
    }

    deinit {
        for socket in open { close(socket) }
    }

    func closeSocket(_ socket: Int32) {
        if open.remove(socket) != nil { close(socket) }
    }

    /// Steps both sides in turn until both are done or one has failed.
    func handshake() -> (client: TLSProgress, server: TLSProgress) {
        var client = TLSProgress.wantRead
        var server = TLSProgress.wantRead
        for _ in 0..<100 {
            if !client.isFinal { client = self.client.handshake() }
            if !server.isFinal { server = self.server.handshake() }
            if client.isFinal && server.isFinal { break }
        }
        return (client, server)
    }
}

/// A socket as a carrier, without any memory of its readiness.
final class SocketCarrier: TLSCarrier {
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> TLSTransfer {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .bytes(count) }
        if count == 0 { return .end }
        return errno == EAGAIN ? .wouldBlock : .failed(errno)
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> TLSTransfer {
        let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .bytes(count) }
        return errno == EAGAIN ? .wouldBlock : .failed(errno)
    }
}

extension TLSProgress {
    var isFinal: Bool {
        switch self {
        case .done, .failed: true
        case .wantRead, .wantWrite: false
        }
    }

    var error: TLSError? {
        switch self {
        case .failed(let error): error
        case .done, .wantRead, .wantWrite: nil
        }
    }
}

extension TLSSession {
    func write(_ bytes: [UInt8]) -> TLSOutcome { bytes.withUnsafeBytes { write($0) } }

    /// One read of at most `limit` bytes.
    func read(limit: Int = 1 << 16) -> (outcome: TLSOutcome, bytes: [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: limit)
        let outcome = buffer.withUnsafeMutableBytes { read(into: $0) }
        if case .bytes(let count) = outcome { return (outcome, Array(buffer.prefix(count))) }
        return (outcome, [])
    }
}
