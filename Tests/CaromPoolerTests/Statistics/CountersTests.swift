// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

/// How long queries and transactions take is measured at the server that works for them.
@Suite struct CountersTests {
    private struct Rig: ~Copyable {
        let counters = Counters()
        var server = ServerState()

        /// The client sends a message at this time.
        mutating func send(_ tag: FrontendTag, _ milliseconds: Int) throws {
            try server.send(tag)
            counters.received(5, for: &server, at: Self.time(milliseconds))
        }

        /// The server has answered so many requests, each with ReadyForQuery, and this is the status of all.
        mutating func ready(_ status: Character, times count: Int = 1, _ milliseconds: Int) {
            let ready = [UInt8(ascii: "Z"), 0, 0, 0, 5] + Array(String(status).utf8)
            answer(Array(repeatElement(ready, count: count).joined()), milliseconds)
        }

        mutating func answer(_ bytes: [UInt8], _ milliseconds: Int) {
            let part = server.receive(bytes.span.bytes, limits: FrameLimits.server())
            counters.sent(part, from: &server, at: Self.time(milliseconds))
        }

        static func time(_ milliseconds: Int) -> Deadline {
            Deadline(nanoseconds: UInt64(1_000 + milliseconds) * 1_000_000)
        }

        /// Milliseconds.
        var queries: (count: UInt64, all: UInt64) { Self.sum(counters.values.queryTimes) }
        var transactions: (count: UInt64, all: UInt64) { Self.sum(counters.values.transactionTimes) }

        private static func sum(_ histogram: DurationHistogram) -> (UInt64, UInt64) {
            (histogram.count, histogram.nanoseconds / 1_000_000)
        }
    }

    @Test func aQueryTakesFromItsFirstByteToItsEnd() throws {
        var rig = Rig()
        try rig.send(.query, 0)
        rig.ready("I", 30)
        try rig.send(.query, 500)
        rig.ready("I", 501)
        #expect(rig.queries == (2, 31) && rig.transactions == (2, 31))
    }

    @Test func aTransactionTakesItsClientsPausesToo() throws {
        var rig = Rig()
        try rig.send(.query, 0)
        rig.ready("T", 10)
        try rig.send(.query, 100)
        rig.ready("T", 105)
        try rig.send(.query, 200)
        rig.ready("I", 201)
        #expect(rig.queries == (3, 16) && rig.transactions == (1, 201))
    }

    @Test func aBatchIsOneRequest() throws {
        var rig = Rig()
        try rig.send(.parse, 0)
        try rig.send(.bind, 1)
        try rig.send(.execute, 2)
        try rig.send(.sync, 3)
        // ParseComplete, BindComplete and CommandComplete.
        rig.answer(Array("1\0\0\0\u{4}2\0\0\0\u{4}C\0\0\0\u{8}SET\0".utf8), 20)
        rig.ready("I", 40)
        #expect(rig.queries == (1, 40) && rig.transactions == (1, 40))
    }

    @Test func requestsSentAheadTakeFromTheEndOfTheOneBefore() throws {
        var rig = Rig()
        for _ in 0..<3 { try rig.send(.query, 0) }
        rig.ready("I", 10)
        rig.ready("I", 30)
        rig.ready("I", 60)
        #expect(rig.queries == (3, 60) && rig.transactions == (3, 60))
    }

    @Test func whatIsAnsweredTogetherTakesEqualParts() throws {
        var rig = Rig()
        for _ in 0..<4 { try rig.send(.query, 0) }
        rig.ready("I", times: 4, 40)
        #expect(rig.queries == (4, 40))
        #expect(rig.counters.values.queryTimes.counts[DurationHistogram.length(of: 10_000_000)] == 4)
    }

    @Test func nothingIsTimedThatNoClientHasBegun() throws {
        var rig = Rig()
        try rig.server.send(.query)
        rig.ready("I", 10)
        #expect(rig.queries == (0, 0) && rig.counters.values.queries == 1)
    }

    @Test func countsAndBytesAddUp() throws {
        var rig = Rig()
        try rig.send(.query, 0)
        rig.ready("T", 1)
        try rig.send(.query, 2)
        rig.ready("I", 3)
        let values = rig.counters.values
        #expect(values.queries == 2 && values.transactions == 1 && values.received == 10 && values.sent == 12)
        let sum = values + values
        #expect(sum.queries == 4 && sum.sent == 24 && sum.queryTimes.count == 4)
    }
}
