// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// The bound on what clients' prepared statements take of memory.
@Suite struct StatementMemoryTests {
    private let memory: StatementMemory
    private let registry: StatementRegistry
    private let server = PooledServer()

    init() {
        memory = StatementMemory(limit: 3_000)
        registry = StatementRegistry(memory: memory)
    }

    private func tell(_ client: PooledClient, _ build: (inout Messages) -> Void) -> String {
        readable(client.send(Messages.of(build), on: server))
    }

    private func parse(_ client: PooledClient, _ name: String, _ text: String) -> String {
        tell(client) {
            $0.parse(name, text)
            $0.sync()
        }
    }

    /// A text of about a thousand bytes.
    private func text(_ number: Int) -> String { "SELECT \(number)" + String(repeating: " ", count: 1_000) }

    private static let refused = "E(53200 too many prepared statements) Z(I)"
    private static let done = "1 Z(I)"

    @Test func aParseBeyondTheLimitIsRefusedAndTheSessionGoesOn() {
        let ada = PooledClient(1, registry)
        #expect(parse(ada, "a", text(1)) == Self.done)
        let used = memory.bytes
        #expect(used > 1_000 && used < 2_000)
        #expect(parse(ada, "b", text(2)) == Self.refused)
        #expect(memory.bytes == used)
        #expect(ada.rig.counters.values[.refusal] == 1)
        #expect(parse(ada, "c", "SELECT 3") == Self.done)
        let told = tell(ada) {
            $0.run("a")
            $0.sync()
        }
        #expect(told.hasPrefix("2 D(SELECT 1"))
    }

    @Test func whatStandsBehindARefusedParseIsSkippedUpToSync() {
        let ada = PooledClient(1, registry)
        let told = tell(ada) {
            $0.parse("a", "SELECT 1")
            $0.parse("b", String(repeating: "x", count: 3_000))
            $0.run("b")
            $0.sync()
            $0.run("a")
            $0.sync()
        }
        #expect(told == "1 \(Self.refused) 2 D(SELECT 1) C(SELECT 1) Z(I)")
    }

    @Test func aRefusedNameMeansNothing() {
        let ada = PooledClient(1, registry)
        #expect(parse(ada, "a", String(repeating: "x", count: 3_000)) == Self.refused)
        let told = tell(ada) {
            $0.run("a")
            $0.sync()
        }
        #expect(told == "E(26000 prepared statement \"a\" does not exist) Z(I)")
    }

    @Test func whatIsClosedMakesRoom() {
        let ada = PooledClient(1, registry)
        #expect(parse(ada, "a", text(1)) == Self.done)
        #expect(parse(ada, "b", text(2)) == Self.refused)
        let told = tell(ada) {
            $0.close("a")
            $0.sync()
        }
        #expect(told == "3 Z(I)")
        #expect(memory.bytes == 0)
        #expect(parse(ada, "b", text(2)) == Self.done)
    }

    @Test func theSameTextCountsOnceAndEachNameOfIt() {
        let (ada, bob) = (PooledClient(1, registry), PooledClient(2, registry))
        #expect(parse(ada, "a", text(1)) == Self.done)
        let one = memory.bytes
        #expect(parse(bob, "a", text(1)) == Self.refused, "it is not looked up before there is room")
        memory.use(limit: 10_000)
        #expect(parse(bob, "a", text(1)) == Self.done)
        #expect(memory.bytes - one == StatementNames.size(ofName: 1))
    }

    @Test func aClientThatLeavesGivesEverythingBack() {
        memory.use(limit: 10_000)
        var ada: PooledClient? = PooledClient(1, registry)
        if let ada {
            #expect(parse(ada, "a", "SELECT 1") == Self.done && parse(ada, "b", "SELECT 2") == Self.done)
            #expect(parse(ada, "", text(1) + text(2)) == Self.done)
        }
        #expect(memory.bytes > 3_000)
        ada = nil
        #expect(memory.bytes == 0)
    }

    @Test func anUnnamedStatementCountsIfItIsLong() {
        let ada = PooledClient(1, registry)
        #expect(parse(ada, "", "SELECT 1") == Self.done)
        #expect(memory.bytes == 0)
        #expect(parse(ada, "", "SELECT" + String(repeating: " ", count: 2_000)) == Self.done)
        #expect(memory.bytes > 2_000)
        #expect(parse(ada, "", "SELECT" + String(repeating: " ", count: 4_000)) == Self.refused)
        #expect(parse(ada, "", "SELECT 1") == Self.done)
        // What was before it may come back as long as the server has not answered; the next message shows that it has not.
        #expect(parse(ada, "", "SELECT 2") == Self.done)
        #expect(memory.bytes == 0)
    }

    @Test(arguments: ["", "a"])
    func aParseInPiecesIsRefusedWhenItBegins(_ name: String) {
        let ada = PooledClient(1, registry)
        let length = 200_000
        let bytes = Messages.of {
            $0.parse(name, "SELECT" + String(repeating: " ", count: length))
            $0.sync()
            $0.query("SELECT 1")
        }
        let told = readable(ada.send(bytes, on: server))
        #expect(told == "\(Self.refused) T D(SELECT 1) C(SELECT 1) Z(I)")
        #expect(memory.bytes == 0)
        #expect(server.model.read.allSatisfy { $0.utf8.count < length })
    }

    @Test func aParseInPiecesCountsAsAWhole() {
        memory.use(limit: 1_000_000)
        let ada = PooledClient(1, registry)
        let bytes = Messages.of {
            $0.parse("a", "SELECT" + String(repeating: " ", count: 200_000))
            $0.sync()
        }
        #expect(readable(ada.send(bytes, on: server)) == Self.done)
        #expect(memory.bytes > 200_000 && memory.bytes < 202_000)
    }

    @Test func withoutALimitNothingIsRefused() {
        memory.use(limit: nil)
        let ada = PooledClient(1, registry)
        for number in 0..<50 { #expect(parse(ada, "s\(number)", text(number)) == Self.done) }
        #expect(memory.bytes > 50_000 && memory.limit == nil)
    }
}
