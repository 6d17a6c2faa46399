// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromStats
import CaromTCP
import CaromTesting
import CaromTop
import FoundationEssentials
import Testing

/// A running pool whose backends the test publishes, and its statistics on a port of the kernel's choice.
func withServer(_ body: (ScriptedResolver, UInt16, Reactor) async throws -> Void) async throws {
    let resolver = ScriptedResolver([backend(1)])
    let recorder = PoolRecorder()
    let pool = try Pool(name: "test", resolver: resolver, connector: FakeConnector(), observers: [recorder])
    let reactor = try Reactor(name: "test")
    try reactor.start()
    defer { reactor.stop() }
    let (ports, continuation) = AsyncStream.makeStream(of: UInt16.self)
    try await withThrowingTaskGroup { group in
        group.addTask { try await pool.run() }
        group.addTask {
            try await StatsServer([ObservedPool(pool, recorder: recorder)], port: 0).run {
                continuation.yield($0)
            }
        }
        let port = try #require(await ports.first { _ in true })
        try await body(resolver, port, reactor)
        group.cancelAll()
    }
}

func backend(_ number: Int) -> Backend {
    Backend(name: "db\(number)", address: .ip("10.0.0.\(number)", port: 5432))
}

/// The whole answer to a request.
func get(_ target: String, _ port: UInt16, _ reactor: Reactor) async throws -> String {
    let connection = try await TCPConnection.connect(
        to: Backend(address: .ip("127.0.0.1", port: port)), on: reactor, timeout: .seconds(10))
    let request = "GET \(target) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    try await connection.write(Array(request.utf8), timeout: .seconds(10))
    var answer: [UInt8] = []
    while case let bytes = try await connection.read(upTo: 65_536, timeout: .seconds(10)), !bytes.isEmpty {
        answer += bytes
    }
    await connection.close()
    return String(decoding: answer, as: UTF8.self)
}

@Suite struct ServerTests {
    @Test func onePoolOfSeveralIsShownByItsName() async throws {
        try await withServer { _, port, reactor in
            #expect(
                try await get("/qtop/stats?pool=other", port, reactor).hasPrefix("HTTP/1.1 404"))
            var client = try await StatsClient.open(
                try StatsURL("127.0.0.1:\(port)/qtop/stats?pool=test"), on: reactor)
            let message = try #require(try await client.next(timeout: .seconds(10)))
            #expect(try StatsFrame(json: message).carom?.pools.map(\.name) == ["test"])
            await client.close()
        }
    }

    @Test func aDocumentTakesThePlaceOfTheServersOwn() async throws {
        let reactor = try Reactor(name: "test")
        try reactor.start()
        defer { reactor.stop() }
        let (ports, continuation) = AsyncStream.makeStream(of: UInt16.self)
        let documents = ["/stats", "/more", "/gone"].map { path in
            StatsDocument(path: path) { _ in
                StatsDocument.Content(
                    type: "text/x-test", body: Data("this is \(path)".utf8), isUnavailable: path == "/gone")
            }
        }
        try await withThrowingTaskGroup { group in
            group.addTask {
                try await StatsServer(
                    host: "127.0.0.1", port: 0, logger: nil, documents: documents, pools: { [] }
                ).run { continuation.yield($0) }
            }
            let port = try #require(await ports.first { _ in true })
            for (path, status) in [("/stats", 200), ("/more", 200), ("/gone", 503)] {
                let answer = try await get(path, port, reactor)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
                #expect(answer.contains("text/x-test") && answer.hasSuffix("this is \(path)"))
            }
            group.cancelAll()
        }
    }

    @Test func theStreamBeginsAtOnceAndTellsEveryChangeOfTheSet() async throws {
        try await withServer { resolver, port, reactor in
            // 0: no regular messages, so that whatever comes was caused by a change.
            let url = try StatsURL("127.0.0.1:\(port)/qtop/stats?update_secs=0")
            var client = try await StatsClient.open(url, on: reactor)
            var names: Set<String> = []
            for expected in [["db1"], ["db1", "db2"], ["db2"]] as [Set<String>] {
                resolver.publish(expected.sorted().map { backend(Int($0.dropFirst(2))!) })
                // One change may be told in several messages, as backends come and go one after the other.
                while names != expected {
                    let message = try #require(try await client.next(timeout: .seconds(10)))
                    names = Set(try StatsFrame(json: message).sets.keys)
                }
            }
            await client.close()
        }
    }

    @Test func theSnapshotAndThePageAreServed() async throws {
        try await withServer { _, port, reactor in
            let answer = try await get("/stats", port, reactor)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            let body = try #require(answer.split(separator: "\r\n\r\n").last)
            let frame = try StatsFrame(json: Data(body.utf8))
            #expect(frame.carom?.pools.first?.name == "test")
            #expect(frame.carom?.pools.first?.wait != nil)
            let page = try await get("/", port, reactor)
            #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("<!doctype html>"))
            #expect(page.contains("Content-Security-Policy: default-src 'none';"))
            #expect(try await get("/else", port, reactor).hasPrefix("HTTP/1.1 404"))
        }
    }

    @Test(arguments: ["-1", "256", "x", ""]) func anIntervalOutOfRangeIsRefused(_ text: String) async throws {
        try await withServer { _, port, reactor in
            let url = try StatsURL("127.0.0.1:\(port)/qtop/stats?update_secs=\(text)")
            let error = await #expect(throws: StatsClientError.self) {
                _ = try await StatsClient.open(url, on: reactor)
            }
            #expect(error?.description.contains("400") == true)
        }
    }

    @Test func pingsAndGoodbyesAreAnswered() async throws {
        try await withServer { _, port, reactor in
            let connection = try await TCPConnection.connect(
                to: Backend(address: .ip("127.0.0.1", port: port)), on: reactor, timeout: .seconds(10))
            let request = """
                GET /qtop/stats?update_secs=0 HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
                """
            // A ping with the payload "x" and a goodbye, masked with zeros.
            let frames: [UInt8] = [0x89, 0x81, 0, 0, 0, 0, 120] + [0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]
            try await connection.write(Array(request.utf8) + frames, timeout: .seconds(10))
            var answer: [UInt8] = []
            while case let bytes = try await connection.read(upTo: 65_536, timeout: .seconds(10)),
                !bytes.isEmpty
            {
                answer += bytes
            }
            let pong: [UInt8] = [0x8A, 1, 120]
            #expect(answer.indices.contains { answer[$0...].starts(with: pong) })
            #expect(Array(answer.suffix(4)) == [0x88, 2, 3, 0xE8])
            await connection.close()
        }
    }

    @Test func aPortInUseAndAnAddressThatIsNoneAreErrors() async throws {
        try await withServer { _, port, _ in
            for server in [StatsServer([], port: port), StatsServer([], host: "localhost", port: 0)] {
                await #expect(throws: StatsServerError.self) { try await server.run { _ in } }
            }
        }
    }

    @Test func aServerThatIsNoStreamIsAnError() async throws {
        try await withServer { _, port, reactor in
            for target in ["/stats", "/"] {
                let url = try StatsURL("127.0.0.1:\(port)\(target == "/" ? "/none" : target)")
                await #expect(throws: StatsClientError.self) {
                    _ = try await StatsClient.open(url, on: reactor)
                }
            }
        }
    }
}
