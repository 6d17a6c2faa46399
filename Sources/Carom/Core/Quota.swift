// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Who may have how many connections, where several pools share limits: every decision about it, as a value.
///
/// A pool is a member; each limit that it goes by is that of a group, and groups count the connections of all their members. A
/// place is the right to one connection: it is granted before a connect begins, and given back when the connection is closed.
///
/// A place goes to the member whose oldest claim waits longest, but first to those that have less than their equal share of the
/// limit: else whoever floods a pool would make all others wait as long as its own claims do.
///
/// Instants are nanoseconds on the clock of the pools.
struct Quota: Sendable {
    private struct Link {
        let group: Int
        let limit: Int
    }

    private struct Member {
        var isPresent = true
        var links: [Link]
        /// Places that it has.
        var held: Int
        /// Of these, connections that it has agreed to close.
        var leaving = 0
        /// It would begin a connect if it might.
        var wants = false
        /// When its oldest claim began to wait; `never` if none waits.
        var since = Int64.never
        /// How long its connects take.
        var connectTime: Int64 = 0
        var isPressed = false
    }

    private struct Group {
        var key: QuotaGroup
        var members: Set<Int> = []
        var wanting: Set<Int> = []
        var held = 0
        var leaving = 0
        /// Members that have a place or want one.
        var active = 0
    }

    /// The least time between two looks for idle connections, and the least that members are spared an exchange.
    static var patience: Int64 { 10_000_000 }
    /// However long connects take, nobody waits longer for an exchange, and for an idle connection.
    private static var longestPatience: Int64 { 500_000_000 }
    private static var longestIdlePatience: Int64 { 100_000_000 }

    private var members: [Member] = []
    private var freeMembers: [Int] = []
    private var groups: [Group] = []
    private var freeGroups: [Int] = []
    private var known: [QuotaGroup: Int] = [:]
    /// Something has changed since members were asked for their idle connections.
    private var isNews = false
    private var nextSurvey = Int64.min
    private var pressedGroups: Set<Int> = []
    private var isMembershipNew = false

    // MARK: Members

    /// A pool goes by these limits from now on. It may have connections already, more than would be allowed.
    mutating func join(_ limits: [QuotaLimit], held: Int) -> Int {
        let member: Int
        let record = Member(links: [], held: held)
        if let free = freeMembers.popLast() {
            member = free
            members[member] = record
        } else {
            member = members.count
            members.append(record)
        }
        link(member, limits)
        return member
    }

    /// The limits are others.
    mutating func change(_ member: Int, _ limits: [QuotaLimit]) {
        unlink(member)
        link(member, limits)
    }

    /// The pool has no limits any more, or nothing is left of it.
    mutating func leave(_ member: Int) {
        unlink(member)
        members[member] = Member(isPresent: false, links: [], held: 0)
        freeMembers.append(member)
    }

    /// What a member has come to: whether it lacks a place, since when its oldest claim waits, how many places it gives back, and how
    /// long its connects take of late.
    ///
    /// - Returns: whether somebody may have to be told something.
    mutating func report(
        _ member: Int, wants: Bool, since: Int64, released: Int, connectTime: Int64 = 0, now: Int64
    ) -> Bool {
        if wants != members[member].wants || (released > 0 && isMissed(member)) { isNews = true }
        update(member) { record in
            record.held -= released
            record.leaving = max(0, min(record.leaving - released, record.held))
            record.wants = wants
            record.since = wants ? since : .never
            record.connectTime = connectTime
        }
        precondition(members[member].held >= 0, "a pool gives back more places than it has")
        return isNews || (wants && now >= nextSurvey)
    }

    // MARK: Places

    /// Members that want a place and may have one now.
    var contenders: [Int] {
        members.indices.filter { members[$0].wants && blocking($0).isEmpty }
    }

    /// Gives a place to the contender that comes first, which then has to be told.
    mutating func grant() -> Int? {
        guard let next = contenders.min(by: { rank($0) < rank($1) }) else { return nil }
        isNews = true
        update(next) { record in
            record.held += 1
            record.wants = false
            record.since = .never
        }
        return next
    }

    /// How long the oldest claim of a contender waits by now.
    mutating func note(_ member: Int, since: Int64) {
        if members[member].wants { members[member].since = since }
    }

    // MARK: Making room

    /// Members whose idle connections might make room for others, if there is a reason to ask. The answer is ``evictions(idle:now:)``.
    mutating func survey(_ now: Int64) -> [Int] {
        guard isNews || now >= nextSurvey else { return [] }
        isNews = false
        nextSurvey = now.after(Self.patience)
        var asked: Set<Int> = []
        for group in groups.indices where isOverfull(group) || lacks(group) {
            for member in groups[group].members where members[member].held > members[member].leaving {
                asked.insert(member)
            }
        }
        return asked.sorted()
    }

    /// Which members are to close an idle connection, one each, and since when it must be idle. A member that cannot is ``stays(_:)``.
    ///
    /// - Parameter idle: since when those that were asked have an idle connection, the one idle longest; `never` if none.
    mutating func evictions(idle: [Int: Int64], now: Int64) -> [(member: Int, since: Int64)] {
        var left = idle.filter { $0.value != .never }
        var chosen: [(member: Int, since: Int64)] = []
        func choose(_ candidates: [Int]) {
            guard let victim = candidates.min(by: { (left[$0]!, $0) < (left[$1]!, $1) }) else { return }
            chosen.append((victim, left[victim]!))
            left[victim] = nil
            update(victim) { $0.leaving += 1 }
        }
        for group in groups.indices {
            let members = groups[group].members.sorted()
            for _ in members where isOverfull(group) { choose(members.filter { left[$0] != nil }) }
        }
        let waiting = members.indices.filter { members[$0].wants && members[$0].since != .never }
        // Places that are on their way are those of the first.
        var provided = groups.map(\.leaving)
        for member in waiting.sorted(by: { rank($0) < rank($1) }) {
            for link in blocking(member) {
                provided[link.group] -= 1
                if provided[link.group] >= 0 { continue }
                choose(
                    groups[link.group].members.filter { other in
                        guard let since = left[other] else { return false }
                        // What a member has idle is of no use to its own claims, or they would not wait.
                        return other == member || isAboveShare(other, in: link.group)
                            || since.after(idlePatience(with: member)) <= now
                    })
            }
        }
        return chosen
    }

    /// A member that was to close a connection has none to close.
    mutating func stays(_ member: Int) {
        update(member) { $0.leaving = max(0, $0.leaving - 1) }
    }

    /// Whether a member may keep a connection that has just come back to it. If not it has agreed to close it.
    ///
    /// - Parameter since: when its oldest claim began to wait; `never` if none waits.
    mutating func keeps(_ member: Int, since: Int64, now: Int64) -> Bool {
        note(member, since: since)
        guard members[member].held > members[member].leaving else { return true }
        let next = min(since, now)
        let yields = members[member].links.contains { link in
            if isOverfull(link.group) { return true }
            let isAbove = isAboveShare(member, in: link.group)
            let rivals = groups[link.group].wanting.count { other in
                guard other != member, members[other].since != .never, isBlocked(other, by: link.group)
                else { return false }
                let wouldBeAbove = isAboveShare(other, in: link.group, adding: 1)
                if isAbove != wouldBeAbove { return isAbove }
                return members[other].since.after(patience(with: other)) < next
            }
            // Places that are on their way are theirs.
            return rivals > groups[link.group].leaving
        }
        if yields { update(member) { $0.leaving += 1 } }
        return !yields
    }

    /// Members that have come under pressure, or are free of it: as long as they are, they ask ``keeps(_:since:now:)`` about what
    /// comes back, and nothing is parked.
    mutating func pressureChanges() -> [(member: Int, isPressed: Bool)] {
        let pressed = Set(groups.indices.filter { isOverfull($0) || waiting(for: $0) > 0 })
        if pressed == pressedGroups, !isMembershipNew { return [] }
        pressedGroups = pressed
        isMembershipNew = false
        var changes: [(member: Int, isPressed: Bool)] = []
        for member in members.indices where members[member].isPresent {
            let isPressed = members[member].links.contains { pressed.contains($0.group) }
            if isPressed == members[member].isPressed { continue }
            members[member].isPressed = isPressed
            changes.append((member, isPressed))
        }
        return changes
    }

    // MARK: For people and tests

    /// How many places a group has given.
    func held(_ group: QuotaGroup) -> Int { known[group].map { groups[$0].held } ?? 0 }

    func held(by member: Int) -> Int { members[member].held }
    func leaving(by member: Int) -> Int { members[member].leaving }

    /// All groups, in no order.
    func uses(now: Int64) -> [QuotaUse] {
        known.map { key, group in
            let limits = groups[group].members.flatMap { member in
                members[member].links.filter { $0.group == group }.map(\.limit)
            }
            let oldest = groups[group].wanting.filter { isBlocked($0, by: group) }.map { members[$0].since }
                .min()
            return QuotaUse(
                key, limit: limits.max() ?? 0, held: groups[group].held, pools: groups[group].members.count,
                waiting: waiting(for: group),
                oldestWait: .nanoseconds(oldest.map { now.since($0) } ?? 0))
        }
    }

    /// The limits that keep a member from another place.
    func obstacles(of member: Int) -> [QuotaLimit] {
        blocking(member).map { QuotaLimit(groups[$0.group].key, $0.limit) }
    }

    // MARK: Rules

    /// Who comes first: who has a claim that waits, and of these who has less than its share, and of these whose claim waits longest.
    private func rank(_ member: Int) -> (Int, Int, Int64, Int) {
        let isAbove = members[member].links.contains { isAboveShare(member, in: $0.group, adding: 1) }
        let since = members[member].since
        return (since == .never ? 1 : 0, isAbove ? 1 : 0, since, member)
    }

    /// How much longer than others' a member's claim must have waited to be given a connection that they would use. It has to connect
    /// first: so exchanges among equals cost a tenth of the time at most.
    private func patience(with member: Int) -> Int64 {
        max(Self.patience, min(Self.longestPatience, 10 * members[member].connectTime))
    }

    /// How long a connection is idle before it is closed for a member, if its own has no more than its share: whoever comes back in
    /// about the time of a connect is not made to wait for one.
    private func idlePatience(with member: Int) -> Int64 {
        max(Self.patience, min(Self.longestIdlePatience, 2 * members[member].connectTime))
    }

    /// Whether a member has more than an equal part of a group's limit, but for what it is about to close.
    private func isAboveShare(_ member: Int, in group: Int, adding: Int = 0) -> Bool {
        guard let link = members[member].links.first(where: { $0.group == group }) else { return false }
        let share = max(1, link.limit / max(1, groups[group].active))
        return members[member].held - members[member].leaving + adding > share
    }

    /// Others want places of a member's groups, or have been made to give some up.
    private func isMissed(_ member: Int) -> Bool {
        members[member].isPressed || members[member].links.contains { !groups[$0.group].wanting.isEmpty }
    }

    private func isBlocked(_ member: Int, by group: Int) -> Bool {
        members[member].links.contains { $0.group == group && groups[group].held >= $0.limit }
    }

    /// The links of a member whose groups are full.
    private func blocking(_ member: Int) -> [Link] {
        members[member].links.filter { groups[$0.group].held >= $0.limit }
    }

    /// How many members have claims that wait for a place of this group.
    private func waiting(for group: Int) -> Int {
        if groups[group].wanting.isEmpty { return 0 }
        return groups[group].wanting.count { members[$0].since != .never && isBlocked($0, by: group) }
    }

    /// More members wait for a place of the group than connections of it are being closed.
    private func lacks(_ group: Int) -> Bool { waiting(for: group) > groups[group].leaving }

    /// There are more connections than any member's limit allows: a limit was lowered.
    private func isOverfull(_ group: Int) -> Bool {
        let staying = groups[group].held - groups[group].leaving
        if staying == 0 { return false }
        return groups[group].members.allSatisfy { member in
            members[member].links.contains { $0.group == group && staying > $0.limit }
        }
    }

    // MARK: Books

    /// Changes a record, and what groups count of it.
    private mutating func update(_ member: Int, _ change: (inout Member) -> Void) {
        count(member, -1)
        change(&members[member])
        count(member, 1)
    }

    private mutating func count(_ member: Int, _ sign: Int) {
        let record = members[member]
        for link in record.links {
            groups[link.group].held += sign * record.held
            groups[link.group].leaving += sign * record.leaving
            if record.held > 0 || record.wants { groups[link.group].active += sign }
            if record.wants {
                if sign > 0 {
                    groups[link.group].wanting.insert(member)
                } else {
                    groups[link.group].wanting.remove(member)
                }
            }
        }
    }

    private mutating func link(_ member: Int, _ limits: [QuotaLimit]) {
        members[member].links = limits.map { Link(group: group($0.group), limit: $0.limit) }
        for link in members[member].links { groups[link.group].members.insert(member) }
        count(member, 1)
        isNews = true
        isMembershipNew = true
    }

    private mutating func unlink(_ member: Int) {
        count(member, -1)
        for link in members[member].links {
            groups[link.group].members.remove(member)
            guard groups[link.group].members.isEmpty else { continue }
            known[groups[link.group].key] = nil
            freeGroups.append(link.group)
        }
        members[member].links = []
        isNews = true
        isMembershipNew = true
    }

    private mutating func group(_ key: QuotaGroup) -> Int {
        if let group = known[key] { return group }
        let group: Int
        if let free = freeGroups.popLast() {
            group = free
            groups[group] = Group(key: key)
        } else {
            group = groups.count
            groups.append(Group(key: key))
        }
        known[key] = group
        return group
    }
}
