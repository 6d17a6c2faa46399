// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Waiters that need a certain kind of connection, such as one to the primary: where theirs may be had, as far as is known.
extension PoolCore {
    /// How likely a backend's connections meet a requirement.
    private enum Prospect: Int {
        /// They do.
        case meets
        /// Nobody knows.
        case unknown
        /// The resolver says otherwise; a connection might know better.
        case contradicted
        /// They do not.
        case fails
    }

    /// Sets connections aside for waiters with a requirement: on backends that meet it, else on those of which that is not
    /// known, best priority first. So one backend after the other is asked until one is found, those in doubt and dead ones
    /// as their back-off allows.
    mutating func reserve(_ total: Int, now: Int64) {
        if !isSearching { return }
        let priorities = Set(order.map { backends[$0].rank }).sorted()
        for index in queue.requirements.indices.dropFirst() where queue.requirements[index].count > 0 {
            if isMetByPlan(queue.requirements[index].requirement, now: now) { continue }
            var left = min(queue.requirements[index].count, total - reservedTotal)
            for priority in priorities where left > 0 {
                let candidates = order.filter { backends[$0].rank == priority }
                let requirement = queue.requirements[index].requirement
                left -= reserve(left, of: total, among: candidates, requirement, now: now)
            }
        }
    }

    /// Whom the plan is for anyway is given nothing beside it: else every backend would keep what it has as long as somebody waits, and
    /// one that is new would never get its share.
    private func isMetByPlan(_ requirement: [String: String], now: Int64) -> Bool {
        guard requirement == scopeAttributes else { return false }
        return order.contains { backend in
            backends[backend].isInScope && !backends[backend].isDead && !backends[backend].isDoubted
                && prospect(of: requirement, backend, now: now) == .meets
        }
    }

    /// The same among backends of one priority; returns how many waiters are provided for.
    private mutating func reserve(
        _ count: Int, of total: Int, among candidates: [Int], _ requirement: [String: String], now: Int64
    ) -> Int {
        var able: [Int] = []
        var others: [(rank: Int, at: Int64, backend: Int)] = []
        var (forgetAt, retryAt) = (Int64.never, Int64.never)
        for backend in candidates {
            let record = backends[backend]
            let prospect = prospect(of: requirement, backend, now: now)
            if prospect == .fails {
                if record.counts.usable == 0, !record.isShunned {
                    forgetAt = min(forgetAt, record.learntAt.after(Self.memory))
                }
                continue
            }
            let isTrusted = !record.isDead && !record.isDoubted
            if prospect == .meets, isTrusted || record.counts.usable > 0 { able.append(backend) }
            if isTrusted, prospect != .meets {
                // Who is being asked is asked no second time, and nobody in its place.
                others.append(
                    (record.counts.connecting > 0 ? -1 : prospect.rawValue, record.askedAt, backend))
            } else if !isTrusted, record.counts.connecting == 0 {
                let at = record.health.nextConnect(isAwaited: true)
                if now < at {
                    retryAt = min(retryAt, at)
                } else {
                    others.append((prospect.rawValue, record.askedAt, backend))
                }
            }
        }
        replanAt = min(replanAt, retryAt)
        if able.isEmpty {
            replanAt = min(replanAt, forgetAt)
            hastenWatch(now)
        } else {
            // Where some are known, who was asked once and is not known to be one is not asked again.
            others.removeAll { $0.rank > 0 && $0.at != .min }
        }
        let given = give(count, of: total, to: able)
        // Those that were never asked come first, then those asked longest ago.
        others.sort { ($0.rank, $0.at) < ($1.rank, $1.at) }
        return given + ask(count - given, of: total, from: others.map(\.backend))
    }

    /// Backends that meet the requirement keep what is lent and get one for each waiter.
    private mutating func give(_ count: Int, of total: Int, to able: [Int]) -> Int {
        if able.isEmpty { return 0 }
        for backend in able where backends[backend].reserved == 0 {
            let busy = min(
                backends[backend].counts.busy, hand(of: backend).limit, total - reservedTotal)
            backends[backend].reserved = busy
            reservedTotal += busy
        }
        var hands = able.map { hand(of: $0) }
        let before = hands.reduce(0) { $0 + $1.count }
        WeightedShares.deal(min(count, total - reservedTotal), to: &hands)
        for (backend, hand) in zip(able, hands) { backends[backend].reserved = hand.count }
        let given = hands.reduce(0) { $0 + $1.count } - before
        reservedTotal += given
        return given
    }

    /// Each waiter has one backend asked.
    private mutating func ask(_ count: Int, of total: Int, from unknown: [Int]) -> Int {
        var asked = 0
        for backend in unknown
        where asked < count && reservedTotal < total
            && backends[backend].reserved <= backends[backend].counts.usable
            && backends[backend].counts.usable < policy.source.perBackendMax
        {
            backends[backend].reserved += 1
            reservedTotal += 1
            asked += 1
        }
        return asked
    }

    private func prospect(of requirement: [String: String], _ backend: Int, now: Int64) -> Prospect {
        if backends[backend].isShunned { return .fails }
        if backends[backend].counts.usable > 0 {
            let own = slots.lazy.filter { $0.backend == Int32(backend) && $0.state.isUsable }
            return own.contains { attributes.matches($0.attributes, requirement) } ? .meets : .fails
        }
        let learntAt = backends[backend].learntAt
        if learntAt != .min, now.since(learntAt) < Self.memory {
            if attributes.matches(backends[backend].learnt, requirement) { return .meets }
            return .fails
        }
        let given = backends[backend].backend.attributes
        let isContradicted = requirement.contains { key, value in given[key].map { $0 != value } ?? false }
        if isContradicted { return .contradicted }
        return AttributeTable.matches(given, requirement) ? .meets : .unknown
    }

    /// Notes what a backend's connections are like, for the time when it has none.
    mutating func remember(_ slot: Int, now: Int64) {
        let backend = Int(slots[slot].backend)
        backends[backend].learntAt = now
        let (old, new) = (backends[backend].learnt, slots[slot].attributes)
        if old == new { return }
        attributes.retain(entry: new)
        attributes.release(old)
        backends[backend].learnt = new
    }

    /// Somebody waits for a certain kind of connection.
    var isSearching: Bool { queue.count > queue.requirements[0].count }
}
