// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

@testable import CaromDNS

/// A nameserver on 127.0.0.1, UDP and TCP on the same port, on a thread of its own, that says what a script tells it.
final class ScriptedServer: Sendable {
    /// A question as it arrived.
    struct Query: Sendable {
        let id: UInt16
        let question: DNSQuestion
        let overTCP: Bool
    }

    /// What to send back, in order; empty is silence.
    enum Reply: Sendable {
        case bytes([UInt8])
        /// Sent from another port than was asked.
        case bytesFromElsewhere([UInt8])
    }

    let address: DNSServer
    private let received = Mutex<[Query]>([])
    private let script: @Sendable (Query) -> [Reply]
    private let stopPipe: (Int32, Int32)
    private let sockets: (udp: Int32, tcp: Int32, stranger: Int32)
    private let ended = DispatchFlag()

    var queries: [Query] { received.withLock { $0 } }

    init(_ script: @escaping @Sendable (Query) -> [Reply]) throws {
        self.script = script
        var pipes: [Int32] = [0, 0]
        precondition(pipe(&pipes) == 0, "no pipe")
        stopPipe = (pipes[0], pipes[1])
        let (udp, tcp, port) = try Self.boundPair()
        precondition(listen(tcp, 8) == 0, "cannot listen")
        sockets = (udp, tcp, try Self.bound(SOCK_DGRAM, port: 0))
        address = try DNSServer(address: "127.0.0.1", port: port)
        let box = Unmanaged.passRetained(Work { [self] in serve() })
        var thread = pthread_t()
        let made = pthread_create(
            &thread, nil,
            { raw in
                if let raw { Unmanaged<Work>.fromOpaque(raw).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        precondition(made == 0, "no thread")
        pthread_detach(thread)
    }

    /// Stops answering and closes the port.
    func stop() {
        close(stopPipe.1)
        ended.wait()
    }

    private func serve() {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var polled = [sockets.udp, sockets.tcp, stopPipe.0].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            guard poll(&polled, 3, -1) > 0 else { continue }
            if polled[2].revents != 0 { break }
            if polled[0].revents != 0 { answerDatagram(&buffer) }
            if polled[1].revents != 0 { answerConnection(&buffer) }
        }
        for descriptor in [sockets.udp, sockets.tcp, sockets.stranger, stopPipe.0] { close(descriptor) }
        ended.raise()
    }

    private func answerDatagram(_ buffer: inout [UInt8]) {
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let count = withUnsafeMutablePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(sockets.udp, &buffer, buffer.count, 0, $0, &length)
            }
        }
        guard count > 0 else { return }
        for reply in replies(Array(buffer.prefix(count)), overTCP: false) {
            let (bytes, socket): ([UInt8], Int32) =
                switch reply {
                case .bytes(let bytes): (bytes, sockets.udp)
                case .bytesFromElsewhere(let bytes): (bytes, sockets.stranger)
                }
            withUnsafePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(socket, bytes, bytes.count, 0, $0, length)
                }
            }
        }
    }

    private func answerConnection(_ buffer: inout [UInt8]) {
        let connection = accept(sockets.tcp, nil, nil)
        guard connection >= 0 else { return }
        defer { close(connection) }
        // One question a connection is enough here; it comes in one piece over loopback.
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 2 else { return }
        for case .bytes(let bytes) in replies(Array(buffer[2..<count]), overTCP: true) {
            let framed = MessageWriter.big(UInt16(bytes.count)) + bytes
            _ = send(connection, framed, framed.count, Int32(MSG_NOSIGNAL))
        }
        // Wait for the resolver to close, so that nothing is lost.
        _ = recv(connection, &buffer, buffer.count, 0)
    }

    private func replies(_ bytes: [UInt8], overTCP: Bool) -> [Reply] {
        guard let message = try? DNSMessage(parsing: bytes.span.bytes), let asked = message.question,
            let type = DNSType(rawValue: asked.type)
        else { return [] }
        let query = Query(
            id: message.id, question: DNSQuestion(name: asked.name, type: type), overTCP: overTCP)
        received.withLock { $0.append(query) }
        return script(query)
    }

    /// UDP and TCP on one port; the one the system gives for UDP may be taken for TCP.
    private static func boundPair() throws -> (udp: Int32, tcp: Int32, port: UInt16) {
        while true {
            let udp = try bound(SOCK_DGRAM, port: 0)
            let port = port(of: udp)
            if let tcp = try? bound(SOCK_STREAM, port: port) { return (udp, tcp, port) }
            close(udp)
        }
    }

    private static func bound(_ type: __socket_type, port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            defer { close(descriptor) }
            throw DNSError(.system, "cannot bind: \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private static func port(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

extension ScriptedServer.Query {
    /// The writer's message under this query's id.
    func reply(_ writer: MessageWriter) -> ScriptedServer.Reply {
        var writer = writer
        writer.id = id
        return .bytes(writer.bytes)
    }

    func reply(_ zone: Zone) -> ScriptedServer.Reply { reply(zone.answer(question)) }
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// Something one thread waits for and another raises once.
private final class DispatchFlag: @unchecked Sendable {
    // Unchecked: a semaphore is made for several threads; its memory is never moved.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    init() { sem_init(semaphore, 0, 0) }
    deinit { semaphore.deallocate() }
    func raise() { sem_post(semaphore) }
    func wait() { while sem_wait(semaphore) != 0 {} }
}
