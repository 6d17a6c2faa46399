// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc
import Testing

@testable import CaromReactor

@Suite struct StreamTests {
    @Test func bytesGoThroughAConnectionBothWays() async throws {
        let text = try await onReactor { reactor in
            let listener = try Listener(on: SocketAddress(.ip("127.0.0.1", port: 0)), reactor: reactor)
            async let accepted = listener.accept()
            let client = try await Stream.connect(
                to: listener.address, on: reactor, deadline: Reactor.now + 5_000_000_000)
            let peer = try #require(try await accepted)
            let server = try Stream(adopting: peer.descriptor, peer: peer.peer, on: reactor, waker: nil)
            try await client.send("ping")
            let asked = try await server.receive(4)
            try await server.send("pong")
            return asked + (try await client.receive(4))
        }
        #expect(text == "pingpong")
    }

    @Test func aStreamMovesToAnotherReactorAndNoByteIsLost() async throws {
        let first = try Reactor(index: 0, name: "first")
        let second = try Reactor(index: 1, name: "second")
        try first.start()
        try second.start()
        defer {
            first.stop()
            second.stop()
        }
        let (a, b) = try await Task(executorPreference: first) { try streamPair(on: first) }.value
        for round in 0..<200 {
            let (source, target) = round % 2 == 0 ? (first, second) : (second, first)
            try await Task(executorPreference: source) { try await a.send("x\(round % 10)") }.value
            let text = try await Task(executorPreference: target) {
                try b.move(to: target, waker: nil)
                let text = try await b.receive(2)
                b.waker = nil
                try a.move(to: target, waker: nil)
                return text
            }.value
            #expect(text == "x\(round % 10)")
        }
    }

    @Test func connectingToAPortNobodyListensOnIsRefused() async throws {
        await #expect(throws: SystemError.self) {
            try await onReactor { reactor in
                let listener = try Listener(on: SocketAddress(.ip("127.0.0.1", port: 0)), reactor: reactor)
                let address = listener.address
                listener.close()
                _ = try await Stream.connect(to: address, on: reactor, deadline: Reactor.now + 5_000_000_000)
            }
        }
    }

    @Test func acceptedConnectionsInheritTheListenersOptions() async throws {
        let values = try await onReactor { reactor in
            var options = TCPOptions()
            options.keepAliveIdle = 77
            let listener = try Listener(
                on: SocketAddress(.ip("127.0.0.1", port: 0)), tcp: options, reactor: reactor)
            let caller = try await Stream.connect(
                to: listener.address, on: reactor, deadline: Reactor.now + 5_000_000_000)
            let accepted = try #require(try await listener.accept())
            defer { Glibc.close(accepted.descriptor) }
            caller.close()
            listener.close()
            return [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY].map { option in
                var value: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(accepted.descriptor, Int32(IPPROTO_TCP), option, &value, &length)
                return value
            }
        }
        #expect(values == [77, 5, 1])
    }

    @Test func connectingGivesUpAtItsDeadlineAndWhenCancelled() async throws {
        let codes = try await onReactor { reactor in
            // A listener whose queue is full answers no further caller.
            let listener = try Listener(
                on: SocketAddress(.ip("127.0.0.1", port: 0)), backlog: 0, reactor: reactor)
            var held: [Stream] = []
            var codes: [Int32] = []
            while codes.isEmpty {
                do throws(SystemError) {
                    held.append(
                        try await Stream.connect(
                            to: listener.address, on: reactor, deadline: Reactor.now + 50_000_000))
                } catch { codes.append(error.code) }
            }
            let task = Task(executorPreference: reactor) { () -> Int32 in
                do throws(SystemError) {
                    _ = try await Stream.connect(to: listener.address, on: reactor, deadline: .max - 1)
                    return 0
                } catch { return error.code }
            }
            task.cancel()
            codes.append(await task.value)
            return codes
        }
        #expect(codes == [ETIMEDOUT, ECANCELED])
    }

    @Test func aUnixSocketLeftBehindIsReplacedAndALiveOneIsNot() async throws {
        let path = "/tmp/carom-listener-\(getpid()).sock"
        try await onReactor { reactor in
            let address = SocketAddress(.unix(path: path))
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            try address.withSockaddr { (pointer, length) throws(SystemError) in
                #expect(bind(descriptor, pointer, length) == 0)
            }
            close(descriptor)
            let listener = try Listener(on: address, reactor: reactor)
            #expect(throws: SystemError.self) { try Listener(on: address, reactor: reactor) }
            listener.close()
            #expect(access(path, F_OK) != 0)
        }
    }

    @Test func readingSaysWhenThePeerHasEnded() async throws {
        let ended = try await onReactor { reactor in
            let (a, b) = try streamPair(on: reactor)
            try await a.send("last")
            a.close()
            _ = try await b.receive(4)
            var byte: UInt8 = 0
            let waker = Waker()
            b.waker = waker
            while true {
                let outcome = try withUnsafeMutableBytes(of: &byte) { raw in
                    try b.read(into: raw)
                }
                if outcome == .end { return true }
                await waker.wait()
            }
        }
        #expect(ended)
    }

    @Test func writingTwoPartsKeepsTheirOrder() async throws {
        let text = try await onReactor { reactor in
            let (a, b) = try streamPair(on: reactor)
            let outcome = try Array("first ".utf8).withUnsafeBytes { one in
                try Array("second".utf8).withUnsafeBytes { two in try a.write(one, two) }
            }
            #expect(outcome == .bytes(12))
            return try await b.receive(12)
        }
        #expect(text == "first second")
    }

    @Test func anIdleStreamKnowsWhetherItIsQuiet() async throws {
        try await onReactor { reactor in
            let (a, b) = try streamPair(on: reactor)
            #expect(b.isQuiet())
            try await a.send("!")
            #expect(!b.isQuiet())
        }
    }

    /// In a process of its own, because the limit would hit the other tests too.
    @Test func acceptingSurvivesRunningOutOfDescriptors() async {
        await #expect(processExitsWith: .success) {
            try await onReactor { reactor in
                let listener = try Listener(on: SocketAddress(.ip("127.0.0.1", port: 0)), reactor: reactor)
                let client = try await Stream.connect(
                    to: listener.address, on: reactor, deadline: Reactor.now + 5_000_000_000)
                var limit = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let before = limit
                limit.rlim_cur = 3
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let accepting = Task(executorPreference: reactor) { try await listener.accept() }
                while listener.exhaustions == 0 { await Task.yield() }
                limit = before
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
                let accepted = try #require(try await accepting.value)
                close(accepted.descriptor)
                client.close()
            }
        }
    }
}

func streamPair(on reactor: Reactor) throws -> (Stream, Stream) {
    var pair: [Int32] = [0, 0]
    #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    let peer = SocketAddress(.unix(path: ""))
    return (
        try Stream(adopting: pair[0], peer: peer, on: reactor, waker: nil),
        try Stream(adopting: pair[1], peer: peer, on: reactor, waker: nil)
    )
}

extension Stream {
    func send(_ text: String) async throws {
        let outcome = try Array(text.utf8).withUnsafeBytes { try write($0) }
        #expect(outcome == .bytes(text.utf8.count))
    }

    func receive(_ count: Int) async throws -> String {
        let waker = Waker()
        self.waker = waker
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64)
        while bytes.count < count {
            switch try buffer.withUnsafeMutableBytes({ try read(into: $0) }) {
            case .bytes(let count): bytes += buffer[..<count]
            case .wouldBlock: await waker.wait()
            case .end: return String(decoding: bytes, as: UTF8.self)
            }
        }
        self.waker = nil
        return String(decoding: bytes, as: UTF8.self)
    }
}
