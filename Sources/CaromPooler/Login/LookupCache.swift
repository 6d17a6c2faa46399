// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// What was found out about clients lately, and who waits for which answer.
///
/// That there is no such thing is remembered for as long as an answer: otherwise the time that a login takes would tell them apart.
struct LookupCache<Key: Hashable, Answer, Waiter> {
    enum Step {
        case known(Answer)
        /// The one who asks is to find out, and then to call ``learned(_:of:at:keeping:)``.
        case ask
        /// Somebody else is asking already.
        case wait
    }

    private struct Entry {
        let answer: Answer
        let until: Deadline
        let number: Int
    }

    private let lifetime: Duration
    private let limit: Int
    private var entries: [Key: Entry] = [:]
    /// In the order in which they were learnt; some are no longer true.
    private var order: [(key: Key, number: Int)] = []
    private var oldest = 0
    private var nextNumber = 0
    private var waiters: [Key: [Waiter]] = [:]

    init(lifetime: Duration, limit: Int) {
        self.lifetime = lifetime
        self.limit = limit
    }

    /// How many answers are kept.
    var count: Int { entries.count }

    /// What is known of a key. If nothing is, the waiter is kept until something is learned.
    mutating func find(_ key: Key, at now: Deadline, _ waiter: @autoclosure () -> Waiter) -> Step {
        if let entry = entries[key], now < entry.until { return .known(entry.answer) }
        let isFirst = waiters[key] == nil
        waiters[key, default: []].append(waiter())
        return isFirst ? .ask : .wait
    }

    /// There is an answer.
    ///
    /// - Parameter keeping: it holds for a while; one that failed does not.
    /// - Returns: who has waited for it.
    mutating func learned(_ answer: Answer, of key: Key, at now: Deadline, keeping: Bool) -> [Waiter] {
        if keeping {
            nextNumber += 1
            entries[key] = Entry(answer: answer, until: now + lifetime, number: nextNumber)
            order.append((key, nextNumber))
            makeRoom()
        } else {
            entries[key] = nil
        }
        return waiters.removeValue(forKey: key) ?? []
    }

    private mutating func makeRoom() {
        while entries.count > limit, oldest < order.count {
            let (key, number) = order[oldest]
            oldest += 1
            if entries[key]?.number == number { entries[key] = nil }
        }
        // Old notes of keys that were asked for again go, too.
        if order.count > 2 * limit {
            order = order[oldest...].filter { entries[$0.key]?.number == $0.number }
            oldest = 0
        }
    }
}

extension LookupCache.Step: Equatable where Answer: Equatable {}
