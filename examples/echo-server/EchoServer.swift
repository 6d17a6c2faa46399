// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP
import Glibc

/// Accepts connections and gives each a task that sends everything back.
///
/// One thread does it all: the tasks run on the reactor, wherever they wait it serves another.
struct EchoServer {
    let address: SocketAddress

    /// Serves until the process ends.
    ///
    /// - Throws: `SystemError` if the address cannot be listened on.
    func run() async throws {
        let reactor = try Reactor(name: "echo")
        try reactor.start()
        try await withTaskExecutorPreference(reactor) {
            let listener = try Listener(on: address, reactor: reactor)
            print("listening on \(listener.address)")
            fflush(nil)
            try await withThrowingDiscardingTaskGroup { group in
                while let accepted = try await listener.accept() {
                    group.addTask { await serve(accepted, on: reactor) }
                }
            }
        }
    }

    private func serve(_ accepted: Listener.Accepted, on reactor: Reactor) async {
        let waker = Waker()
        // A client that breaks the connection ends its own service only.
        guard
            let stream = try? Transport(
                adopting: accepted.descriptor, peer: accepted.peer, on: reactor, handler: waker)
        else { return }
        stream.apply(TCPOptions())
        defer { stream.close() }
        try? await echo(stream, waker)
    }

    private func echo(_ stream: Transport, _ waker: Waker) async throws(SystemError) {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let outcome = try buffer.withBytes { (bytes) throws(SystemError) in try stream.read(into: bytes) }
            switch outcome {
            case .end: return
            case .wouldBlock: await waker.wait()
            case .bytes(let count): try await send(&buffer, count, stream, waker)
            }
        }
    }

    /// Sends the first `count` bytes; nothing more is read until the peer has taken them.
    private func send(_ buffer: inout [UInt8], _ count: Int, _ stream: Transport, _ waker: Waker)
        async throws(SystemError)
    {
        var sent = 0
        while sent < count {
            let outcome = try buffer.withBytes { (bytes) throws(SystemError) in
                try stream.write(UnsafeRawBufferPointer(rebasing: bytes[sent..<count]))
            }
            switch outcome {
            case .bytes(let written): sent += written
            case .wouldBlock: await waker.wait()
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func withBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws(SystemError) -> R
    ) throws(SystemError) -> R {
        var span = mutableSpan
        var bytes = span.mutableBytes
        return try bytes.withUnsafeMutableBytes(body)
    }
}

extension SocketAddress {
    /// `1.2.3.4:5`, `[::1]:5` or `/path`.
    init?(parsing text: String) {
        if text.hasPrefix("/") {
            self.init(.unix(path: text))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        self.init(.ip(String(host), port: port))
    }
}
