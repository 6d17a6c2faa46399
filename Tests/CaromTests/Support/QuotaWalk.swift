// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@testable import Carom

/// Pools as a quota sees them, which do what comes into their heads, and books of them that are as simple as can be: all sums are
/// made anew each time.
final class QuotaWalk {
    private struct PoolModel {
        var member: Int
        var limits: [QuotaLimit]
        var places = 0
        /// When each of its idle connections was used last; they have places, too.
        var idle: [Int64] = []
        /// Connections that are being closed.
        var closing = 0
        /// When each claim that waits for a place came.
        var waiting: [Int64] = []
        var isPressed = false
    }

    private var quota = Quota()
    private var random: SeededRandom
    private var now: Int64 = 1_000_000_000
    private var pools: [PoolModel] = []
    private let groups = (0..<4).map { QuotaGroup("group", "\($0)") }
    private var most: [QuotaGroup: Int] = [:]
    private var complaint: String?

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        for group in groups { most[group] = 1 + random.below(6) }
        for _ in 0..<6 { open() }
    }

    /// Runs so many events; the first thing that is wrong, if anything is.
    func run(_ events: Int) -> String? {
        for event in 0..<events {
            now += Int64(random.below(8_000_000))
            step()
            settle()
            complaint = complaint ?? disagreement()
            if let complaint { return "event \(event): \(complaint)" }
        }
        return ending()
    }

    private func step() {
        let pool = random.below(pools.count)
        switch random.below(20) {
        case 0..<7:
            if pools[pool].waiting.count < 4 { pools[pool].waiting.append(now) }
        case 7..<9:
            if !pools[pool].waiting.isEmpty {
                pools[pool].waiting.remove(at: random.below(pools[pool].waiting.count))
            }
        case 9..<14: comeBack(pool)
        case 14..<18: close(pool)
        case 18:
            let group = groups[random.below(groups.count)]
            most[group] = 1 + random.below(6)
            for index in pools.indices {
                pools[index].limits = pools[index].limits.map { QuotaLimit($0.group, most[$0.group]!) }
                quota.change(pools[index].member, pools[index].limits)
            }
        default:
            if pools.count < 9, random.below(2) == 0 { return open() }
            // Only what has nothing left ends.
            if pools[pool].places == 0, pools[pool].waiting.isEmpty, pools.count > 2 {
                quota.leave(pools[pool].member)
                pools.remove(at: pool)
                return
            }
        }
        if pool < pools.count { report(pool) }
    }

    private func open() {
        let mine = groups.filter { _ in random.below(2) == 0 }
        let limits = (mine.isEmpty ? [groups[0]] : mine).map { QuotaLimit($0, most[$0]!) }
        pools.append(PoolModel(member: quota.join(limits, held: 0), limits: limits))
    }

    /// A connection in use comes back: to the pool's own claim, among the idle ones, or closed.
    private func comeBack(_ pool: Int) {
        let inUse = pools[pool].places - pools[pool].idle.count - pools[pool].closing
        guard inUse > 0 else { return }
        if pools[pool].isPressed {
            let since = pools[pool].waiting.min() ?? .never
            if !quota.keeps(pools[pool].member, since: since, now: now) {
                pools[pool].closing += 1
                return
            }
        }
        if pools[pool].waiting.isEmpty {
            pools[pool].idle.append(now)
        } else {
            pools[pool].waiting.removeFirst()
        }
    }

    /// A connection is closed, one that was to be if there is any.
    private func close(_ pool: Int) {
        if pools[pool].closing > 0 {
            pools[pool].closing -= 1
        } else if !pools[pool].idle.isEmpty {
            pools[pool].idle.removeFirst()
        } else if pools[pool].places > 0, random.below(4) == 0 {
            // It died in use.
        } else {
            return
        }
        pools[pool].places -= 1
        report(pool, released: 1)
    }

    private func report(_ pool: Int, released: Int = 0) {
        let model = pools[pool]
        _ = quota.report(
            model.member, wants: !model.waiting.isEmpty, since: model.waiting.min() ?? .never,
            released: released, now: now)
    }

    // MARK: What the shell does

    private func settle() {
        while let member = grant() {
            guard let pool = pools.firstIndex(where: { $0.member == member }) else {
                complaint = "a place is given to nobody"
                return
            }
            pools[pool].places += 1
            if pools[pool].waiting.isEmpty {
                pools[pool].places -= 1
                report(pool, released: 1)
            } else {
                pools[pool].waiting.removeFirst()
                report(pool)
            }
        }
        let asked = quota.survey(now)
        var idle: [Int: Int64] = [:]
        for pool in pools where asked.contains(pool.member) { idle[pool.member] = pool.idle.min() ?? .never }
        for (member, since) in quota.evictions(idle: idle, now: now) {
            let pool = pools.firstIndex { $0.member == member }!
            if let place = pools[pool].idle.firstIndex(of: since), random.below(8) > 0 {
                pools[pool].idle.remove(at: place)
                pools[pool].closing += 1
            } else {
                quota.stays(member)
            }
        }
        for (member, isPressed) in quota.pressureChanges() {
            pools[pools.firstIndex { $0.member == member }!].isPressed = isPressed
        }
    }

    /// The next place, and whether the right one got it.
    private func grant() -> Int? {
        let able = pools.filter { !$0.waiting.isEmpty && hasRoom($0) }
        for pool in able { quota.note(pool.member, since: pool.waiting.min()!) }
        let best = able.min { rank($0) < rank($1) }
        let granted = quota.grant()
        if let best, granted == nil { complaint = "\(best) waits beside a free place" }
        if let granted,
            best.map({ rank($0).since }) != pools.first(where: { $0.member == granted })?.waiting.min()
        {
            complaint = "a place went to \(granted), not to \(best.map { "\($0.member)" } ?? "nobody")"
        }
        return granted
    }

    private func held(_ group: QuotaGroup) -> Int {
        pools.reduce(0) { $0 + ($1.limits.contains { $0.group == group } ? $1.places : 0) }
    }

    private func hasRoom(_ pool: PoolModel) -> Bool { pool.limits.allSatisfy { held($0.group) < $0.limit } }

    private func rank(_ pool: PoolModel) -> (isAbove: Int, since: Int64) {
        let isAbove = pool.limits.contains { limit in
            let active = pools.count { other in
                other.limits.contains { $0.group == limit.group }
                    && (other.places > 0 || !other.waiting.isEmpty)
            }
            let leaving = quota.leaving(by: pool.member)
            return pool.places - leaving + 1 > max(1, limit.limit / max(1, active))
        }
        return (isAbove ? 1 : 0, pool.waiting.min() ?? .never)
    }

    private func disagreement() -> String? {
        for group in groups where quota.held(group) != held(group) {
            return "\(group) has \(held(group)), counted as \(quota.held(group))"
        }
        for pool in pools where quota.held(by: pool.member) != pool.places {
            return "\(pool) is counted as \(quota.held(by: pool.member))"
        }
        for pool in pools where quota.leaving(by: pool.member) > pool.closing {
            return "\(pool) is thought to close \(quota.leaving(by: pool.member))"
        }
        // Work waits beside an idle connection that could make room for it, and nothing has been asked to.
        for pool in pools where !pool.waiting.isEmpty && !pool.isPressed {
            return "\(pool) waits and nobody is told"
        }
        return nil
    }

    /// From here on nothing new comes, and everybody gives back what they have: all who wait are served.
    private func ending() -> String? {
        for round in 0..<2_000 {
            now += Quota.patience
            for pool in pools.indices { report(pool) }
            settle()
            if let complaint = complaint ?? disagreement() { return "at the end: \(complaint)" }
            if pools.allSatisfy({ $0.waiting.isEmpty }) { return nil }
            let pool = round % pools.count
            comeBack(pool)
            while pools[pool].closing > 0 {
                pools[pool].closing -= 1
                pools[pool].places -= 1
                report(pool, released: 1)
            }
        }
        return "somebody waits for ever: \(pools)"
    }
}
