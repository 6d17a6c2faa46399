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
    /// Which line it stands in.
    var line: Int32 = 0
    var next: Int32 = -1
    var previous: Int32 = -1
    /// Its place in the order of arrival; kept when it has to queue again.
    var number: UInt64 = 0
    var since: Int64 = 0
    var deadline: Int64 = .never
    /// Neighbours in its row of deadlines.
    var row: Int32 = -1
    var later: Int32 = -1
    var earlier: Int32 = -1
    var affinity: Int = .noAffinity
    var slot: Int32 = -1
    var tries: Int32 = 0
}

/// The claims that wait, in order of arrival within each requirement, and all of them by deadline.
///
/// Joining and leaving are O(1) and leave nothing behind: lists are linked through the records. A waiter with a
/// deadline joins the first *row* whose last deadline is not later, so equal timeouts need one row.
struct WaitQueue: Sendable {
    /// Waiters with the same requirement.
    struct Line {
        var requirement: [String: String]
        var head: Int32 = -1
        var tail: Int32 = -1
        var count = 0
        /// The first waiter no connect was started for yet.
        var unassigned: Int32 = -1
    }
    struct Row {
        var head: Int32 = -1
        var tail: Int32 = -1
    }

    var records: ContiguousArray<WaiterRecord> = []
    var lines: ContiguousArray<Line> = [Line(requirement: [:])]
    var rows: ContiguousArray<Row> = []
    /// Waiters in the queue, without those a connection is being acquired for.
    private(set) var count = 0
    private(set) var acquiring = 0
    private var free: Int32 = -1
    private var arrivals: UInt64 = 0

    /// The earliest deadline of all.
    var earliestDeadline: Int64 {
        var earliest = Int64.never
        for row in rows where row.head >= 0 { earliest = min(earliest, records[Int(row.head)].deadline) }
        return earliest
    }

    /// When the one who waits longest began.
    var oldestSince: Int64 {
        var oldest = Int64.never
        for line in lines where line.head >= 0 { oldest = min(oldest, records[Int(line.head)].since) }
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

    /// A new waiter, not yet in a line.
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
        records[index].line = line(for: request.requirement)
        arrivals += 1
        records[index].number = arrivals
        records[index].since = now
        records[index].affinity = request.affinity ?? .noAffinity
        if deadline != .never { addDeadline(index, deadline) }
        return index
    }

    /// Puts a waiter that is in no line into its line, by its order of arrival.
    mutating func enqueue(_ index: Int) {
        let line = Int(records[index].line)
        var after = lines[line].tail
        while after >= 0, records[Int(after)].number > records[index].number {
            after = records[Int(after)].previous
        }
        let before = after >= 0 ? records[Int(after)].next : lines[line].head
        records[index].previous = after
        records[index].next = before
        if after >= 0 { records[Int(after)].next = Int32(index) } else { lines[line].head = Int32(index) }
        if before >= 0 {
            records[Int(before)].previous = Int32(index)
        } else {
            lines[line].tail = Int32(index)
        }
        if before < 0, lines[line].unassigned < 0 { lines[line].unassigned = Int32(index) }
        lines[line].count += 1
        count += 1
        records[index].state = .queued
    }

    /// Takes a waiter out of its line; it stays known, and its deadline counts.
    mutating func leaveLine(_ index: Int) {
        let line = Int(records[index].line)
        let (before, after) = (records[index].previous, records[index].next)
        if before >= 0 { records[Int(before)].next = after } else { lines[line].head = after }
        if after >= 0 { records[Int(after)].previous = before } else { lines[line].tail = before }
        if lines[line].unassigned == Int32(index) { lines[line].unassigned = after }
        lines[line].count -= 1
        count -= 1
        records[index].next = -1
        records[index].previous = -1
    }

    /// Binds a waiter that is in no line to the connection being prepared for it.
    mutating func beginAcquiring(_ index: Int, slot: Int) {
        records[index].state = .acquiring
        records[index].slot = Int32(slot)
        acquiring += 1
    }

    mutating func endAcquiring(_ index: Int) {
        records[index].slot = -1
        acquiring -= 1
    }

    /// Forgets a waiter that is in no line.
    mutating func release(_ index: Int) {
        removeDeadline(index)
        records[index].state = .free
        records[index].generation &+= 1
        records[index].next = free
        free = Int32(index)
    }

    /// The line of this requirement; an empty one is given a new meaning before another is added.
    private mutating func line(for requirement: [String: String]) -> Int32 {
        if requirement.isEmpty { return 0 }
        var empty = -1
        for index in 1..<max(1, lines.count) {
            if lines[index].requirement == requirement { return Int32(index) }
            if lines[index].count == 0, empty < 0, !isAwaited(index) { empty = index }
        }
        if empty < 0 {
            lines.append(Line(requirement: requirement))
            return Int32(lines.count - 1)
        }
        lines[empty] = Line(requirement: requirement)
        return Int32(empty)
    }

    /// Whether a waiter that is being served may come back to this line.
    private func isAwaited(_ line: Int) -> Bool {
        acquiring > 0 && records.contains { $0.state == .acquiring && $0.line == Int32(line) }
    }
}

extension WaitQueue {
    private mutating func addDeadline(_ index: Int, _ deadline: Int64) {
        var row = rows.count
        for (candidate, existing) in rows.enumerated() {
            if existing.tail < 0 || records[Int(existing.tail)].deadline <= deadline {
                row = candidate
                break
            }
        }
        if row == rows.count { rows.append(Row()) }
        records[index].deadline = deadline
        records[index].row = Int32(row)
        records[index].earlier = rows[row].tail
        if rows[row].tail >= 0 {
            records[Int(rows[row].tail)].later = Int32(index)
        } else {
            rows[row].head = Int32(index)
        }
        rows[row].tail = Int32(index)
    }

    private mutating func removeDeadline(_ index: Int) {
        let row = Int(records[index].row)
        if row < 0 { return }
        let (earlier, later) = (records[index].earlier, records[index].later)
        if earlier >= 0 { records[Int(earlier)].later = later } else { rows[row].head = later }
        if later >= 0 { records[Int(later)].earlier = earlier } else { rows[row].tail = earlier }
        records[index].row = -1
        while let last = rows.last, last.head < 0 { rows.removeLast() }
    }
}
