// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor

/// What a server has answered to an `auth_query`.
enum AuthQueryAnswer: Equatable, Sendable {
    /// The secret of that very user; for SCRAM with what a client is checked against.
    case found(StoredSecret, verifier: SCRAMVerifier? = nil)
    /// There is none that could let the user in, because of this.
    case nothing(String)
    /// The server could not be asked.
    case failed(String)

    /// - Parameter rows: of the result, each as its cells; nil is SQL's null.
    init(_ rows: [[String?]], of user: String) {
        guard let row = rows.first else {
            self = .nothing("the query has no row for it")
            return
        }
        guard rows.count == 1 else {
            self = .nothing("the query has \(rows.count) rows for it")
            return
        }
        guard row.count == 2 else {
            self = .failed("the query must have two columns, user and secret; it has \(row.count)")
            return
        }
        // By their bytes: names that only look the same are two.
        guard let name = row[0], name.utf8.elementsEqual(user.utf8) else {
            self = .nothing("the row is another user's")
            return
        }
        guard let secret = row[1], !secret.isEmpty else {
            self = .nothing("it has no secret, or one that is no longer valid")
            return
        }
        guard secret.utf8.count <= Self.longestSecret else {
            self = .nothing("its secret is too long")
            return
        }
        self = .found(StoredSecret(secret))
    }

    private static let longestSecret = 65_530
}

/// Answers that were got lately, and who waits for which.
///
/// That there is no such user is remembered for as long as a secret: otherwise the time that a login takes would tell them apart.
struct AuthQueryCache<Waiter> {
    enum Step: Equatable {
        case known(AuthQueryAnswer)
        /// The one who asks is to ask the server, and then to call ``learned(_:of:at:)``.
        case ask
        /// Somebody else is asking already.
        case wait
    }

    private struct Entry {
        let answer: AuthQueryAnswer
        let until: Deadline
        let number: Int
    }

    private let lifetime: Duration
    private let limit: Int
    private var entries: [String: Entry] = [:]
    /// In the order in which they were learnt; some are no longer true.
    private var order: [(user: String, number: Int)] = []
    private var oldest = 0
    private var nextNumber = 0
    private var waiters: [String: [Waiter]] = [:]

    init(lifetime: Duration, limit: Int) {
        self.lifetime = lifetime
        self.limit = limit
    }

    /// How many answers are kept.
    var count: Int { entries.count }

    /// What is known of a user. If nothing is, the waiter is kept until something is learned.
    mutating func find(_ user: String, at now: Deadline, _ waiter: @autoclosure () -> Waiter) -> Step {
        if let entry = entries[user], now < entry.until { return .known(entry.answer) }
        let isFirst = waiters[user] == nil
        waiters[user, default: []].append(waiter())
        return isFirst ? .ask : .wait
    }

    /// The server has answered. What failed is not kept.
    ///
    /// - Returns: who has waited for it.
    mutating func learned(_ answer: AuthQueryAnswer, of user: String, at now: Deadline) -> [Waiter] {
        if case .failed = answer {
            entries[user] = nil
        } else {
            nextNumber += 1
            entries[user] = Entry(answer: answer, until: now + lifetime, number: nextNumber)
            order.append((user, nextNumber))
            makeRoom()
        }
        return waiters.removeValue(forKey: user) ?? []
    }

    private mutating func makeRoom() {
        while entries.count > limit, oldest < order.count {
            let (user, number) = order[oldest]
            oldest += 1
            if entries[user]?.number == number { entries[user] = nil }
        }
        // Old notes of users that were asked for again go, too.
        if order.count > 2 * limit {
            order = order[oldest...].filter { entries[$0.user]?.number == $0.number }
            oldest = 0
        }
    }
}
