// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One waiting claim. Plain data: the continuation or receiver lives in the shell.
struct WaiterRecord: Sendable {
    enum State: UInt8 {
        /// Not in use.
        case free
        /// In the queue. → `acquiring`, `free`.
        case queued
        /// A connection is being validated for it. → `queued` if that fails, `free`.
        case acquiring
    }
    var generation: UInt32 = 0
    var state = State.free
    /// Which requirement's queue it stands in.
    var requirementQueue: Int32 = 0
    var next: Int32 = -1
    var previous: Int32 = -1
    /// Its place in the order of arrival; kept when it has to queue again.
    var sequence: UInt64 = 0
    var since: Int64 = 0
    var deadline: Int64 = .never
    /// Neighbours in its list of deadlines.
    var deadlineList: Int32 = -1
    var later: Int32 = -1
    var earlier: Int32 = -1
    var affinity: Int = .noAffinity
    var slot: Int32 = -1
    var tries: Int32 = 0
}

/// The claims that wait, in order of arrival within each requirement, and all of them by deadline.
///
/// Joining and leaving are O(1) and leave nothing behind: lists are linked through the records. A waiter with a
/// deadline joins the first list whose last deadline is not later, so equal timeouts need one list.
struct WaitQueue: Sendable {
    /// Waiters with the same requirement.
    struct RequirementQueue {
        var requirement: [String: String]
        var isPreference = false
        var head: Int32 = -1
        var tail: Int32 = -1
        var count = 0
        /// The first waiter no connect was started for yet.
        var unassigned: Int32 = -1
    }
    struct DeadlineList {
        var head: Int32 = -1
        var tail: Int32 = -1
    }

    var records: ContiguousArray<WaiterRecord> = []
    var requirements: ContiguousArray<RequirementQueue> = [RequirementQueue(requirement: [:])]
    var deadlines: ContiguousArray<DeadlineList> = []
    /// Waiters in the queue, without those a connection is being acquired for.
    private(set) var count = 0
    private(set) var acquiring = 0
    private var free: Int32 = -1
    private var arrivals: UInt64 = 0

    /// The earliest deadline of all.
    var earliestDeadline: Int64 {
        var earliest = Int64.never
        for deadlineList in deadlines where deadlineList.head >= 0 {
            earliest = min(earliest, records[Int(deadlineList.head)].deadline)
        }
        return earliest
    }

    /// When the one who waits longest began.
    var oldestSince: Int64 {
        var oldest = Int64.never
        for requirementQueue in requirements where requirementQueue.head >= 0 {
            oldest = min(oldest, records[Int(requirementQueue.head)].since)
        }
        return oldest
    }

    func id(_ index: Int) -> WaiterID {
        WaiterID(index: UInt32(index), generation: records[index].generation)
    }

    /// The record's index, if the waiter still waits.
    func find(_ id: WaiterID) -> Int? {
        let index = Int(id.index)
        guard index < records.count, records[index].generation == id.generation, records[index].state != .free
        else { return nil }
        return index
    }

    /// A new waiter, not yet in a queue.
    mutating func make(_ request: ClaimRequest, now: Int64, deadline: Int64) -> Int {
        let index: Int
        if free >= 0 {
            index = Int(free)
            free = records[index].next
        } else {
            index = records.count
            records.append(WaiterRecord())
        }
        let generation = records[index].generation
        records[index] = WaiterRecord()
        records[index].generation = generation
        records[index].requirementQueue = requirementQueue(for: request)
        arrivals += 1
        records[index].sequence = arrivals
        records[index].since = now
        records[index].affinity = request.affinity ?? .noAffinity
        if deadline != .never { addDeadline(index, deadline) }
        return index
    }

    /// Puts a waiter that is in no queue into its queue, by its order of arrival.
    mutating func enqueue(_ index: Int) {
        let requirementQueue = Int(records[index].requirementQueue)
        var after = requirements[requirementQueue].tail
        while after >= 0, records[Int(after)].sequence > records[index].sequence {
            after = records[Int(after)].previous
        }
        let before = after >= 0 ? records[Int(after)].next : requirements[requirementQueue].head
        records[index].previous = after
        records[index].next = before
        if after >= 0 {
            records[Int(after)].next = Int32(index)
        } else {
            requirements[requirementQueue].head = Int32(index)
        }
        if before >= 0 {
            records[Int(before)].previous = Int32(index)
        } else {
            requirements[requirementQueue].tail = Int32(index)
        }
        if before < 0, requirements[requirementQueue].unassigned < 0 {
            requirements[requirementQueue].unassigned = Int32(index)
        }
        requirements[requirementQueue].count += 1
        count += 1
        records[index].state = .queued
    }

    /// Takes a waiter out of its queue; it stays known, and its deadline counts.
    mutating func leaveQueue(_ index: Int) {
        let requirementQueue = Int(records[index].requirementQueue)
        let (before, after) = (records[index].previous, records[index].next)
        if before >= 0 {
            records[Int(before)].next = after
        } else {
            requirements[requirementQueue].head = after
        }
        if after >= 0 {
            records[Int(after)].previous = before
        } else {
            requirements[requirementQueue].tail = before
        }
        if requirements[requirementQueue].unassigned == Int32(index) {
            requirements[requirementQueue].unassigned = after
        }
        requirements[requirementQueue].count -= 1
        count -= 1
        records[index].next = -1
        records[index].previous = -1
    }

    /// Whoever waits with this requirement has none any more.
    mutating func relax(_ requirementQueue: Int) {
        while requirements[requirementQueue].head >= 0 {
            let waiter = Int(requirements[requirementQueue].head)
            leaveQueue(waiter)
            records[waiter].requirementQueue = 0
            enqueue(waiter)
        }
    }

    /// Binds a waiter that is in no queue to the connection being prepared for it.
    mutating func beginAcquiring(_ index: Int, slot: Int) {
        records[index].state = .acquiring
        records[index].slot = Int32(slot)
        acquiring += 1
    }

    mutating func endAcquiring(_ index: Int) {
        records[index].slot = -1
        acquiring -= 1
    }

    /// Forgets a waiter that is in no queue.
    mutating func release(_ index: Int) {
        removeDeadline(index)
        records[index].state = .free
        records[index].generation &+= 1
        records[index].next = free
        free = Int32(index)
    }

    /// The queue of this requirement; an empty one is given a new meaning before another is added.
    private mutating func requirementQueue(for request: ClaimRequest) -> Int32 {
        let (requirement, isPreference) = (request.requirement, request.isPreference)
        if requirement.isEmpty { return 0 }
        var empty = -1
        for index in 1..<max(1, requirements.count) {
            let known = requirements[index]
            if known.requirement == requirement, known.isPreference == isPreference { return Int32(index) }
            if requirements[index].count == 0, empty < 0, !isAwaited(index) { empty = index }
        }
        if empty < 0 {
            requirements.append(RequirementQueue(requirement: requirement, isPreference: isPreference))
            return Int32(requirements.count - 1)
        }
        requirements[empty] = RequirementQueue(requirement: requirement, isPreference: isPreference)
        return Int32(empty)
    }

    /// Whether a waiter that is being served may come back to this queue.
    private func isAwaited(_ requirementQueue: Int) -> Bool {
        acquiring > 0
            && records.contains { $0.state == .acquiring && $0.requirementQueue == Int32(requirementQueue) }
    }
}

extension WaitQueue {
    private mutating func addDeadline(_ index: Int, _ deadline: Int64) {
        var deadlineList = deadlines.count
        for (candidate, existing) in deadlines.enumerated() {
            if existing.tail < 0 || records[Int(existing.tail)].deadline <= deadline {
                deadlineList = candidate
                break
            }
        }
        if deadlineList == deadlines.count { deadlines.append(DeadlineList()) }
        records[index].deadline = deadline
        records[index].deadlineList = Int32(deadlineList)
        records[index].earlier = deadlines[deadlineList].tail
        if deadlines[deadlineList].tail >= 0 {
            records[Int(deadlines[deadlineList].tail)].later = Int32(index)
        } else {
            deadlines[deadlineList].head = Int32(index)
        }
        deadlines[deadlineList].tail = Int32(index)
    }

    private mutating func removeDeadline(_ index: Int) {
        let deadlineList = Int(records[index].deadlineList)
        if deadlineList < 0 { return }
        let (earlier, later) = (records[index].earlier, records[index].later)
        if earlier >= 0 { records[Int(earlier)].later = later } else { deadlines[deadlineList].head = later }
        if later >= 0 {
            records[Int(later)].earlier = earlier
        } else {
            deadlines[deadlineList].tail = earlier
        }
        records[index].deadlineList = -1
        while let last = deadlines.last, last.head < 0 { deadlines.removeLast() }
    }
}
