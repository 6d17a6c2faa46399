// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Glibc
import Synchronization
import Testing

@testable import CaromDNS

private let pg = DNSConfiguration.Subject.service("_pg._tcp.example.com")

/// The real resolver against scripted nameservers on loopback.
@Suite struct ShellTests {
    @Test func aServiceIsResolvedOverRealSockets() async throws {
        let zone = Zone.service(hosts: [1, 2, 3])
        let server = try ScriptedServer { [$0.reply(zone)] }
        let running = try RunningResolver(pg, .fixed([server.address]))
        try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.2:5432", "192.0.2.3:5432"])
        #expect(server.queries.count == 4)
        #expect((running.resolver.age ?? .seconds(99)) < .seconds(10))
        await running.stop()
        server.stop()
    }

    @Test func aTruncatedAnswerIsAskedForAgainOverTCP() async throws {
        let zone = Zone.service(hosts: Array(1...60))
        let server = try ScriptedServer { query in
            var writer = zone.answer(query.question)
            if query.question.type == .srv, !query.overTCP {
                writer.flags |= 0x0200
                writer.answers = Array(writer.answers.prefix(5))
            }
            return [query.reply(writer)]
        }
        let running = try RunningResolver(pg, .fixed([server.address]))
        try await running.until("sixty backends") { $0.backends.count == 60 }
        #expect(server.queries.filter(\.overTCP).count == 1)
        #expect(zone.answer(DNSQuestion(name: name("_pg._tcp.example.com"), type: .srv)).bytes.count > 3000)
        await running.stop()
        server.stop()
    }

    @Test func forgedAnswersAreIgnoredAndTheQueryWaitsOn() async throws {
        let zone = Zone.service(hosts: [1])
        let server = try ScriptedServer { query in
            guard query.question.type == .a else { return [query.reply(zone)] }
            let forged = MessageWriter(query.question, [address("db1.example.com", "192.0.2.66")])
            var wrongID = forged
            wrongID.id = query.id ^ 1
            var otherQuestion = forged
            otherQuestion.id = query.id
            otherQuestion.question.name = name("db6.example.com")
            var elsewhere = forged
            elsewhere.id = query.id
            return [
                .bytes([1, 2, 3]), .bytes(wrongID.bytes), .bytes(otherQuestion.bytes),
                .bytesFromElsewhere(elsewhere.bytes), query.reply(zone),
            ]
        }
        let running = try RunningResolver(pg, .fixed([server.address]))
        try await running.until(addresses: ["192.0.2.1:5432"])
        #expect(server.queries.count == 2)
        await running.stop()
        server.stop()
    }

    @Test func aSilentServerIsPassedOverWithinItsTimeout() async throws {
        let zone = Zone.service(hosts: [1])
        let silent = try ScriptedServer { _ in [] }
        let good = try ScriptedServer { [$0.reply(zone)] }
        let running = try RunningResolver(pg, .fixed([silent.address, good.address]))
        try await running.until(addresses: ["192.0.2.1:5432"])
        let time = try #require(running.timeToFirstSet)
        // The timeout and one round trip are half a second; the rest is room for a busy machine.
        #expect(time < .seconds(10))
        print("silent first nameserver: first set after \(time)")
        await running.stop()
        silent.stop()
        good.stop()
    }

    @Test func aSilentOnlyServerTimesOutAsConfigured() async throws {
        let server = try ScriptedServer { _ in [] }
        let running = try RunningResolver(pg, .fixed([server.address])) {
            $0.timeout = .milliseconds(50)
            $0.tries = 2
            $0.retryDelay = .milliseconds(10) ... .milliseconds(10)
            $0.maxStale = nil
        }
        // Rounds of two tries go on for ever; five rounds show that timers work without any traffic.
        while server.queries.count < 10 { await Task.yield() }
        let timeouts = running.events.compactMap { event -> Duration? in
            if case .failed(_, _, "timed out", let elapsed) = event { return elapsed }
            return nil
        }
        #expect(timeouts.count >= 9)
        #expect(timeouts.allSatisfy { $0 >= .milliseconds(49) && $0 < .seconds(10) })
        #expect(running.events.contains { if case .stale(_, age: nil) = $0 { true } else { false } })
        await running.stop()
        server.stop()
    }

    @Test func stoppingEndsAllQuestionsAtOnceAndClosesTheSockets() async throws {
        let server = try ScriptedServer { _ in [] }
        let thread = try DNSThread()
        let running = try RunningResolver(pg, .fixed([server.address]), loop: thread)
        while server.queries.isEmpty { await Task.yield() }
        await running.stop()
        #expect(openSockets(to: server.address.port) == 0)
        let count = server.queries.count
        #expect(count == 1)
        server.stop()
    }

    @Test func aResolverCanRunAgainAndCancellationBeforeTheStartIsNotLost() async throws {
        let zone = Zone.service(hosts: [1])
        let server = try ScriptedServer { [$0.reply(zone)] }
        let resolver = try DNSResolver(DNSConfiguration(pg, servers: .fixed([server.address])))
        for _ in 0..<20 {
            let task = Task { await resolver.run { _ in } }
            task.cancel()
            await task.value
        }
        let published = Counter()
        for round in 1...2 {
            let task = Task { await resolver.run { _ in published.increment() } }
            while published.value < round { await Task.yield() }
            task.cancel()
            await task.value
        }
        #expect(published.value == 2)
        server.stop()
    }

    @Test func manyResolversShareAThreadAndStopOneByOne() async throws {
        let zone = Zone.service(hosts: [1, 2])
        let server = try ScriptedServer { [$0.reply(zone)] }
        let thread = try DNSThread()
        let all = try (0..<10).map { _ in try RunningResolver(pg, .fixed([server.address]), loop: thread) }
        for running in all { try await running.until("two backends") { $0.backends.count == 2 } }
        await all[0].stop()
        let late = try RunningResolver(pg, .fixed([server.address]), loop: thread)
        try await late.until("two backends") { $0.backends.count == 2 }
        for running in all.dropFirst() + [late] { await running.stop() }
        server.stop()
    }

    @Test func nameserversAreFoundThroughDNSAndFollowed() async throws {
        let zone = Zone.service(hosts: [1])
        let real = try ScriptedServer { [$0.reply(zone)] }
        let bootstrap = try ScriptedServer { query in
            var zone = Zone()
            zone.records = [
                service("_dns._udp.example.com", "ns.example.com", port: real.address.port),
                address("ns.example.com", "127.0.0.1"),
            ]
            return [query.reply(zone)]
        }
        let running = try RunningResolver(
            pg, .discovered(service: "_dns._udp.example.com", bootstrap: [bootstrap.address]))
        try await running.until(addresses: ["192.0.2.1:5432"])
        #expect(bootstrap.queries.allSatisfy { $0.question.name != name("_pg._tcp.example.com") })
        #expect(real.queries.contains { $0.question.name == name("_pg._tcp.example.com") })
        #expect(running.events.contains(.serversChanged([real.address])))
        await running.stop()
        real.stop()
        bootstrap.stop()
    }

    @Test func localhostComesFromTheHostsFile() async throws {
        let server = try ScriptedServer { _ in [] }
        let running = try RunningResolver(.host("localhost", port: 5432), .fixed([server.address])) {
            $0.addresses = .ipv4
        }
        try await running.until(addresses: ["127.0.0.1:5432"])
        #expect(server.queries.isEmpty)
        await running.stop()
        server.stop()
    }

    private func openSockets(to port: UInt16) -> Int {
        (0..<1024).filter { descriptor in
            var peer = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    getpeername(Int32(descriptor), $0, &length)
                }
            }
            return result == 0 && UInt16(bigEndian: peer.sin_port) == port
        }.count
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}
