// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromReactor
import Glibc
import Testing

@testable import CaromTCP

@Suite struct TransportTests {
    @Test func bytesGoThroughAConnectionBothWays() async throws {
        let text = try await onReactor { reactor in
            let listener = try Listener(on: SocketAddress(.ip("127.0.0.1", port: 0)), reactor: reactor)
            async let accepted = listener.accept()
            let client = try await Transport.connect(
                to: listener.address, on: reactor, deadline: .now + .seconds(5))
            let peer = try #require(try await accepted)
            let server = try Transport(adopting: peer.descriptor, peer: peer.peer, on: reactor)
            try await client.send("ping")
            let asked = try await server.receive(4)
            try await server.send("pong")
            return asked + (try await client.receive(4))
        }
        #expect(text == "pingpong")
    }

    @Test func aTransportMovesToAnotherReactorAndNoByteIsLost() async throws {
        let first = try Reactor(index: 0, name: "first")
        let second = try Reactor(index: 1, name: "second")
        try first.start()
        try second.start()
        defer {
            first.stop()
            second.stop()
        }
        let (a, b) = try await Task(executorPreference: first) { try transportPair(on: first) }.value
        for round in 0..<200 {
            let (source, target) = round % 2 == 0 ? (first, second) : (second, first)
            try await Task(executorPreference: source) { try await a.send("x\(round % 10)") }.value
            let text = try await Task(executorPreference: target) {
                try b.move(to: target, handler: nil)
                let text = try await b.receive(2)
                b.setHandler(nil)
                try a.move(to: target, handler: nil)
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
                _ = try await Transport.connect(to: address, on: reactor, deadline: .now + .seconds(5))
            }
        }
    }

    @Test func acceptedConnectionsInheritTheListenersOptions() async throws {
        let values = try await onReactor { reactor in
            var options = TCPOptions()
            options.keepAliveIdle = 77
            let listener = try Listener(
                on: SocketAddress(.ip("127.0.0.1", port: 0)), tcp: options, reactor: reactor)
            let caller = try await Transport.connect(
                to: listener.address, on: reactor, deadline: .now + .seconds(5))
            let accepted = try #require(try await listener.accept())
            defer { Glibc.close(accepted.descriptor) }
            caller.close()
            listener.close()
            return [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_NODELAY, TCP_USER_TIMEOUT].map { option in
                var value: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(accepted.descriptor, Int32(IPPROTO_TCP), option, &value, &length)
                return value
            }
        }
        #expect(values == [77, 5, 1, 92_000])
    }

    @Test(
        arguments: [
            (15, nil, 30_000), (0, nil, 0), (15, 0, 0), (15, 1234, 1234), (Int.max, nil, 65_550_000),
        ] as [(Int, Int?, Int32)])
    func sentBytesMayStayUnacknowledgedAsLongAsSilenceIsBorne(_ idle: Int, _ timeout: Int?, _ expected: Int32)
        async throws
    {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var options = TCPOptions()
        options.keepAliveIdle = idle
        options.userTimeout = timeout
        options.apply(to: descriptor)
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &value, &length)
        #expect(value == expected)
    }

    @Test func connectingGivesUpAtItsDeadlineAndWhenCancelled() async throws {
        let codes = try await onReactor { reactor in
            // A listener whose queue is full answers no further caller.
            let listener = try Listener(
                on: SocketAddress(.ip("127.0.0.1", port: 0)), backlog: 0, reactor: reactor)
            var held: [Transport] = []
            var codes: [Int32] = []
            while codes.isEmpty {
                do throws(SystemError) {
                    held.append(
                        try await Transport.connect(
                            to: listener.address, on: reactor, deadline: .now + .milliseconds(50)))
                } catch { codes.append(error.code) }
            }
            let task = Task(executorPreference: reactor) { () -> Int32 in
                do throws(SystemError) {
                    _ = try await Transport.connect(
                        to: listener.address, on: reactor, deadline: .now + .seconds(3600))
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
            let (a, b) = try transportPair(on: reactor)
            try await a.send("last")
            a.close()
            _ = try await b.receive(4)
            var byte: UInt8 = 0
            let waker = Waker()
            b.setHandler(waker)
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
            let (a, b) = try transportPair(on: reactor)
            let outcome = try Array("first ".utf8).withUnsafeBytes { one in
                try Array("second".utf8).withUnsafeBytes { two in try a.write([one, two]) }
            }
            #expect(outcome == .bytes(12))
            return try await b.receive(12)
        }
        #expect(text == "first second")
    }

    @Test func anIdleTransportKnowsWhetherItIsQuiet() async throws {
        try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
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
                let client = try await Transport.connect(
                    to: listener.address, on: reactor, deadline: .now + .seconds(5))
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
