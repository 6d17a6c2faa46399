// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor

/// What a client is doing and since when, and whether it has been at it for too long. The time comes with each step.
struct TimeWatch {
    enum Activity: Equatable {
        /// Nothing, outside of a transaction.
        case idle
        /// It stands in the queue for a server.
        case waiting
        /// A server works for it, or is sent more.
        case working
        /// Nothing, in a transaction or in the middle of a batch.
        case thinking
    }

    /// What has happened since the step before.
    struct Events: OptionSet {
        let rawValue: UInt8
        /// The client has sent something.
        static let spoken = Events(rawValue: 1)
        /// A request was answered.
        static let answered = Events(rawValue: 2)
        /// A transaction ended.
        static let ended = Events(rawValue: 4)
    }

    /// What has lasted too long.
    enum Excess: CaseIterable {
        case query, transaction, idleTransaction, clientIdle
        /// The client is told that it waits, and waits on.
        case wait
    }

    /// How long each of them may last, in nanoseconds: a client has room for these, and each event computes with them.
    private struct Limits {
        private(set) var query, transaction, idleTransaction, clientIdle, wait: UInt64

        static var never: UInt64 { .max }

        init(_ limits: TimeLimits) {
            func nanoseconds(_ limit: TimeLimit?) -> UInt64 {
                (limit?.duration).map { UInt64(clamping: $0.nanoseconds) } ?? Self.never
            }
            query = nanoseconds(limits.query)
            transaction = nanoseconds(limits.transaction)
            idleTransaction = nanoseconds(limits.idleTransaction)
            clientIdle = nanoseconds(limits.clientIdle)
            wait = nanoseconds(limits.waitNotice)
        }

        subscript(_ excess: Excess) -> UInt64 {
            switch excess {
            case .query: query
            case .transaction: transaction
            case .idleTransaction: idleTransaction
            case .clientIdle: clientIdle
            case .wait: wait
            }
        }
    }

    private var limits: Limits
    private var activity = Activity.idle
    private var since: Deadline
    private var transactionSince: Deadline?
    private var isTold = false

    init(_ limits: TimeLimits, at now: Deadline) {
        self.limits = Limits(limits)
        since = now
    }

    /// Whether there is anything to watch.
    static func isNeeded(for limits: TimeLimits) -> Bool {
        let limits = Limits(limits)
        return Excess.allCases.contains { limits[$0] != Limits.never }
    }

    /// These hold from now on, also for what has begun already.
    mutating func use(_ limits: TimeLimits) { self.limits = Limits(limits) }

    /// The client does this now.
    mutating func note(_ activity: Activity, _ events: Events, at now: Deadline) {
        let restarts: Events =
            switch activity {
            case .idle, .thinking: [.spoken, .answered]
            case .working: .answered
            case .waiting: []
            }
        if activity != self.activity || !events.isDisjoint(with: restarts) {
            since = now
            isTold = false
        }
        self.activity = activity
        switch activity {
        case .idle, .waiting: transactionSince = nil
        case .working, .thinking:
            if transactionSince == nil || events.contains(.ended) { transactionSince = now }
        }
    }

    /// When there is something to be said about it, if it goes on like this.
    var deadline: Deadline { first?.deadline ?? .never }

    /// What has lasted too long.
    func excess(at now: Deadline) -> Excess? {
        guard let first, first.deadline <= now else { return nil }
        return first.excess
    }

    /// The client was told that it waits.
    mutating func didTell() { isTold = true }

    private var first: (deadline: Deadline, excess: Excess)? {
        let excess: Excess =
            switch activity {
            case .idle: .clientIdle
            case .waiting: .wait
            case .working: .query
            case .thinking: .idleTransaction
            }
        let isOver = activity == .waiting && isTold
        var first = isOver ? nil : end(of: excess, from: since)
        if let transactionSince, let last = end(of: .transaction, from: transactionSince),
            last.deadline < first?.deadline ?? .never
        {
            first = last
        }
        return first
    }

    private func end(of excess: Excess, from start: Deadline) -> (deadline: Deadline, excess: Excess)? {
        let limit = limits[excess]
        if limit == Limits.never { return nil }
        let (sum, isBeyond) = start.nanoseconds.addingReportingOverflow(limit)
        return isBeyond ? nil : (Deadline(nanoseconds: sum), excess)
    }

    /// How long it may last.
    func limit(of excess: Excess) -> Duration { .nanoseconds(Int64(clamping: limits[excess])) }
}

extension TimeWatch.Activity {
    init(_ leg: borrowing ServerLeg, _ machine: borrowing RelayMachine) {
        guard let server = leg.server else {
            self = leg.isWaiting ? .waiting : .idle
            return
        }
        if machine.phase != .serving || server.state.flow.awaitsServer {
            self = .working
        } else {
            self = server.state.flow.isFree ? .idle : .thinking
        }
    }
}

extension TimeWatch.Excess {
    /// What counts it.
    var event: SessionEvent {
        switch self {
        case .query: .queryTimeout
        case .transaction: .transactionTimeout
        case .idleTransaction: .idleTransactionTimeout
        case .clientIdle: .clientIdleTimeout
        case .wait: .waitNotice
        }
    }

    /// What the client is told, in PostgreSQL's words where it has such a limit.
    ///
    /// - Parameters:
    ///   - limit: how long it may last.
    ///   - route: for whose servers a client waits.
    func message(_ limit: Duration, of route: String) -> ErrorFields {
        func ending(_ code: SQLState, _ message: String, _ name: String) -> ErrorFields {
            ErrorFields(severity: .fatal, code: code, message: message, detail: "\(name) is \(limit).")
        }
        switch self {
        case .query:
            return ending(.queryCanceled, "canceling statement due to query timeout", "query_timeout")
        case .transaction:
            return ending(
                .transactionTimeout, "terminating connection due to transaction timeout",
                "transaction_timeout")
        case .idleTransaction:
            return ending(
                .idleInTransactionTimeout, "terminating connection due to idle-in-transaction timeout",
                "idle_transaction_timeout")
        case .clientIdle:
            return ending(
                .idleSessionTimeout, "terminating connection due to idle-session timeout",
                "client_idle_timeout")
        case .wait:
            return ErrorFields(
                severity: .notice, code: .successfulCompletion,
                message: "no server connection available for route \(route), client being queued")
        }
    }
}
