// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Since when a server works at a request of its client and at its transaction, by the monotonic clock in nanoseconds.
///
/// It begins anew with each client: the last may have left in the middle of a request.
package struct ServiceClock: Equatable, Sendable {
    /// 0 if there is none.
    private var requestSince: UInt64 = 0
    private var transactionSince: UInt64 = 0

    package init() {}

    /// A request is under way.
    @inline(__always)
    package var isRunning: Bool { requestSince != 0 }

    /// The client has begun a request, and a transaction unless one is open.
    @inline(__always)
    package mutating func begin(at now: UInt64) {
        requestSince = now
        if transactionSince == 0 { transactionSince = now }
    }

    /// Requests were answered, each of which was a transaction.
    ///
    /// - Parameter goesOn: the next is under way.
    /// - Returns: how long they took together; nil if a transaction was open before them, or nothing was timed. Then nothing has changed.
    @inline(__always)
    package mutating func endLone(at now: UInt64, goesOn: Bool) -> UInt64? {
        guard requestSince != 0, requestSince == transactionSince else { return nil }
        let taken = now &- requestSince
        requestSince = goesOn ? now : 0
        transactionSince = requestSince
        return taken
    }

    /// Requests were answered.
    ///
    /// - Parameter goesOn: the next is under way.
    /// - Returns: how long they took together.
    @inline(__always)
    package mutating func endRequests(at now: UInt64, goesOn: Bool) -> UInt64 {
        let taken = now &- requestSince
        requestSince = goesOn ? now : 0
        return taken
    }

    /// No transaction is open any more.
    ///
    /// - Parameter goesOn: the next request is under way, and with it a transaction.
    /// - Returns: how long it took, or those of several requests together.
    @inline(__always)
    package mutating func endTransactions(at now: UInt64, goesOn: Bool) -> UInt64 {
        let taken = now &- transactionSince
        transactionSince = goesOn ? now : 0
        return taken
    }
}
