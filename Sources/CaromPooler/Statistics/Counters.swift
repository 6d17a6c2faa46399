// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// What one worker has done for one route. The worker writes, any thread may read; so adding is a load and a store.
final class Counters: Sendable {
    private let queryCount = Atomic<Int>(0)
    private let transactionCount = Atomic<Int>(0)
    private let receivedBytes = Atomic<Int>(0)
    private let sentBytes = Atomic<Int>(0)
    /// Of requests that were a transaction each, and of all others.
    private let loneTimes = CountedDurations()
    private let queryTimes = CountedDurations()
    private let transactionTimes = CountedDurations()
    /// By the number of the event.
    private let events: InlineArray<27, Atomic<Int>> = .init { _ in Atomic(0) }
    /// Keeps the counters of two workers, which are made one after the other, out of one cache line of 64 bytes.
    private let padding: InlineArray<10, Int> = .init(repeating: 0)

    /// Sums at one moment. Those of two counters can be added.
    struct Values: Equatable, Sendable {
        /// Requests that ended with ReadyForQuery.
        var queries = 0
        /// Those of them after which no transaction was open.
        var transactions = 0
        /// Bytes from clients.
        var received = 0
        /// Bytes to clients.
        var sent = 0
        /// From a request's first byte to the server until its ReadyForQuery.
        var queryTimes = DurationHistogram()
        /// The same from a transaction's first request to the end of its last.
        var transactionTimes = DurationHistogram()
        /// By the number of the event.
        private var events = [Int](repeating: 0, count: SessionEvent.allCases.count)

        init(queries: Int = 0, transactions: Int = 0, received: Int = 0, sent: Int = 0) {
            self.queries = queries
            self.transactions = transactions
            self.received = received
            self.sent = sent
        }

        subscript(event: SessionEvent) -> Int {
            get { events[event.rawValue] }
            set { events[event.rawValue] = newValue }
        }

        static func + (left: Values, right: Values) -> Values {
            var sum = Values(
                queries: left.queries &+ right.queries, transactions: left.transactions &+ right.transactions,
                received: left.received &+ right.received, sent: left.sent &+ right.sent)
            sum.queryTimes = left.queryTimes + right.queryTimes
            sum.transactionTimes = left.transactionTimes + right.transactionTimes
            for event in SessionEvent.allCases { sum[event] = left[event] &+ right[event] }
            return sum
        }
    }

    /// Read one after the other while the worker goes on: each is right, together they need not be of one instant.
    var values: Values {
        var values = Values(
            queries: queryCount.load(ordering: .relaxed),
            transactions: transactionCount.load(ordering: .relaxed),
            received: receivedBytes.load(ordering: .relaxed), sent: sentBytes.load(ordering: .relaxed))
        let lone = loneTimes.values
        values.queryTimes = lone + queryTimes.values
        values.transactionTimes = lone + transactionTimes.values
        for event in SessionEvent.allCases { values[event] = events[event.rawValue].load(ordering: .relaxed) }
        return values
    }

    /// Bytes came from a client and go to this server. On the worker's thread only.
    @inline(__always)
    func received(_ bytes: Int, for server: inout ServerState, at now: @autoclosure () -> Deadline) {
        add(bytes, to: receivedBytes)
        if bytes > 0, !server.clock.isRunning { server.clock.begin(at: now().nanoseconds) }
    }

    /// A part of the server's stream goes to a client, and with it requests and transactions end. On the worker's thread only.
    @inline(__always)
    func sent(
        _ part: ServerState.Received, from server: inout ServerState, at now: @autoclosure () -> Deadline
    ) {
        add(part.visible.count, to: sentBytes)
        if part.completed > 0 { end(part.completed, part.transactions, &server, at: now().nanoseconds) }
    }

    private func end(_ requests: Int, _ transactions: Int, _ server: inout ServerState, at now: UInt64) {
        add(requests, to: queryCount)
        if transactions > 0 { add(transactions, to: transactionCount) }
        let goesOn = server.flow.awaitsServer
        if requests == transactions, let took = server.clock.endLone(at: now, goesOn: goesOn) {
            return loneTimes.add(requests, nanoseconds: took)
        }
        let wasTimed = server.clock.isRunning
        let took = server.clock.endRequests(at: now, goesOn: goesOn)
        if wasTimed { queryTimes.add(requests, nanoseconds: took) }
        if transactions == 0 { return }
        let lasted = server.clock.endTransactions(at: now, goesOn: goesOn)
        if wasTimed { transactionTimes.add(transactions, nanoseconds: lasted) }
    }

    /// Something was done for a client's session. On the worker's thread only.
    func count(_ event: SessionEvent) { add(1, to: events[event.rawValue]) }

    /// A client came to keep its server for the sake of these. On the worker's thread only.
    func count(pins: KeptState) {
        if pins.isEmpty { return }
        for pin in SessionEvent.pins where pins.contains(pin.state) { count(pin.event) }
    }

    /// How far the worker has come. On its thread only.
    var progress: (queries: Int, transactions: Int) {
        (queryCount.load(ordering: .relaxed), transactionCount.load(ordering: .relaxed))
    }

    private func add(_ amount: Int, to counter: borrowing Atomic<Int>) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
