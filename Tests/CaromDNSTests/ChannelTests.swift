// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromDNS

/// One channel on the test's own thread, driven by poll: what a foreign event loop would do.
@Suite struct ChannelTests {
    final class Driver {
        var interest: [Int32: Int16] = [:]
        var results: [String: QueryResult] = [:]

        func run(_ channel: AresChannel, until done: () -> Bool) {
            while !done() {
                var polled = interest.map { pollfd(fd: $0.key, events: $0.value, revents: 0) }
                let wait = channel.timeout.map { Int32($0 / .milliseconds(1)) + 1 } ?? 1000
                _ = poll(&polled, nfds_t(polled.count), wait)
                for entry in polled where entry.revents != 0 {
                    channel.process(
                        entry.fd, readable: entry.revents & Int16(POLLIN | POLLERR | POLLHUP) != 0,
                        writable: entry.revents & Int16(POLLOUT) != 0)
                }
                channel.processTimeouts()
            }
        }
    }

    func channel(_ server: DNSServer, _ driver: Driver) throws -> AresChannel {
        try AresChannel(server: server, timeout: .milliseconds(200)) { descriptor, readable, writable in
            let events = (readable ? Int16(POLLIN) : 0) | (writable ? Int16(POLLOUT) : 0)
            driver.interest[descriptor] = events == 0 ? nil : events
        }
    }

    @Test func droppingOneQueryLeavesTheOthersAlone() throws {
        let server = try ScriptedServer { query in
            [
                query.reply(
                    MessageWriter(query.question, [address(query.question.name.description, "192.0.2.1")]))
            ]
        }
        let driver = Driver()
        let channel = try channel(server.address, driver)
        func ask(_ host: String) -> AresQuery {
            channel.ask(DNSQuestion(name: name(host), type: .a)) { driver.results[host] = $0 }
        }
        let queries = ["a.example", "b.example", "c.example"].map(ask)
        queries[1].drop()
        driver.run(channel) { driver.results.count == 2 }
        #expect(Set(driver.results.keys) == ["a.example", "c.example"])
        driver.run(channel) { channel.timeout == nil }
        #expect(driver.results["b.example"] == nil)
        server.stop()
    }

    @Test func everyQueryIsReleasedAfterItsAnswerDropTimeoutOrClose() throws {
        final class Weak { weak var query: AresQuery? }
        let server = try ScriptedServer { query in
            query.question.name == name("silent.example")
                ? [] : [query.reply(MessageWriter(query.question, code: 3, minimum: 5))]
        }
        let driver = Driver()
        var boxes: [Weak] = []
        let channel = try channel(server.address, driver)
        func ask(_ host: String, drop: Bool = false) {
            let box = Weak()
            let query = channel.ask(DNSQuestion(name: name(host), type: .a)) { driver.results[host] = $0 }
            box.query = query
            if drop { query.drop() }
            boxes.append(box)
        }
        for index in 0..<50 { ask("q\(index).example", drop: index % 5 == 0) }
        ask("silent.example")
        driver.run(channel) { channel.timeout == nil }
        #expect(driver.results.count == 41)
        #expect(driver.results["silent.example"] == .timedOut)
        #expect(boxes.allSatisfy { $0.query == nil })
        #expect(driver.interest.isEmpty, "sockets are closed when nothing is under way")
        ask("silent.example")
        #expect(boxes.last?.query != nil)
        channel.close()
        #expect(boxes.last?.query == nil)
        #expect(driver.interest.isEmpty)
        server.stop()
    }

    @Test func aServerThatIsNotThereIsUnreachable() throws {
        let server = try ScriptedServer { _ in [] }
        server.stop()
        let driver = Driver()
        let channel = try channel(server.address, driver)
        _ = channel.ask(DNSQuestion(name: name("a.example"), type: .a)) { driver.results["a"] = $0 }
        driver.run(channel) { !driver.results.isEmpty }
        guard case .unreachable = driver.results["a"] else {
            Issue.record("unexpected \(String(describing: driver.results["a"]))")
            return
        }
    }

    @Test func aClosedChannelAnswersAtOnce() throws {
        let driver = Driver()
        let channel = try channel(server("127.0.0.1:1"), driver)
        channel.close()
        _ = channel.ask(DNSQuestion(name: name("a.example"), type: .a)) { driver.results["a"] = $0 }
        #expect(driver.results.count == 1)
    }
}
