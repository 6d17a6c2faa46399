// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What one worker has done for one route. The worker writes, anybody may read; so adding is a load and a store.
final class RouteCounters: Sendable {
    private let queryCount = Atomic<Int>(0)
    private let transactionCount = Atomic<Int>(0)
    private let receivedBytes = Atomic<Int>(0)
    private let sentBytes = Atomic<Int>(0)

    /// Requests that ended with ReadyForQuery.
    var queries: Int { queryCount.load(ordering: .relaxed) }
    /// Those of them after which no transaction was open.
    var transactions: Int { transactionCount.load(ordering: .relaxed) }
    /// Bytes from clients.
    var received: Int { receivedBytes.load(ordering: .relaxed) }
    /// Bytes to clients.
    var sent: Int { sentBytes.load(ordering: .relaxed) }

    func received(_ bytes: Int) { add(bytes, to: receivedBytes) }

    func sent(_ bytes: Int, queries: Int, transactions: Int) {
        add(bytes, to: sentBytes)
        if queries > 0 { add(queries, to: queryCount) }
        if transactions > 0 { add(transactions, to: transactionCount) }
    }

    private func add(_ amount: Int, to counter: borrowing Atomic<Int>) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
