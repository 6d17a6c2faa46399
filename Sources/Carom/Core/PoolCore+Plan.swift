// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Says how many connections each backend should have.
    ///
    /// Live backends of the best priority share what is planned in proportion to their weights, in order of
    /// preference. One that is doubted keeps what it has; the rest of its share goes to others of its priority, or to the
    /// next priority if all are doubted. A dead one gets a probe, which takes a slot only if live ones leave one.
    mutating func plan(_ now: Int64) {
        needsPlan = false
        needsRecall = needsRecall || isParkingUsed
        needsTrim = true
        needsConnects = true
        planned = max(min(planned, policy.maxSlots), demand)
        doubtEndsAt = .never
        for backend in order {
            let isDead = backends[backend].isDead
            backends[backend].wanted = isDead ? 1 : 0
            backends[backend].isDoubted = !isDead && backends[backend].health.isDoubtful(now)
            if backends[backend].isDoubted {
                doubtEndsAt = min(doubtEndsAt, backends[backend].health.doubtEnd)
            }
        }
        var left = planned
        if draining > 0 {
            for backend in backends where !backend.present { left -= backend.counts.busy }
        }
        left = max(0, left)
        wantedTotal = 0
        trustedPriority = nil
        var priority = nextPriority(after: nil)
        let isAnyAlive = priority != nil
        while let current = priority {
            let candidates = order.filter {
                !backends[$0].isDead && backends[$0].backend.priority == current
            }
            left -= deal(left, to: candidates, now: now)
            if candidates.contains(where: { !backends[$0].isDoubted }) {
                trustedPriority = current
                break
            }
            priority = nextPriority(after: current)
        }
        if observed { emit(.planned(total: wantedTotal)) }
        setFailed(!order.isEmpty && !isAnyAlive, now: now)
    }

    /// The best priority of a live backend, among those worse than the given one.
    private func nextPriority(after priority: Int?) -> Int? {
        var next: Int?
        for backend in order where !backends[backend].isDead {
            let own = backends[backend].backend.priority
            if let priority, own <= priority { continue }
            next = min(next ?? own, own)
        }
        return next
    }

    /// Deals connections to backends of one priority; returns how many.
    private mutating func deal(_ total: Int, to candidates: [Int], now: Int64) -> Int {
        var hands = candidates.map { backend in
            let most = policy.source.perBackendMax
            return WeightedShares.Share(
                weight: backends[backend].share,
                limit: backends[backend].isDoubted ? min(most, backends[backend].counts.usable) : most,
                count: 0)
        }
        let reserved = reserveForRequirements(total, candidates, &hands)
        WeightedShares.deal(total - reserved, to: &hands)
        var dealt = 0
        for (backend, hand) in zip(candidates, hands) {
            backends[backend].wanted = hand.count
            dealt += hand.count
            if hand.count > 0 { backends[backend].plannedAt = now }
        }
        wantedTotal += dealt
        return dealt
    }

    /// Waiters with a requirement first: backends that can meet it keep what is lent and get one for each waiter.
    private func reserveForRequirements(
        _ total: Int, _ candidates: [Int], _ hands: inout [WeightedShares.Share]
    ) -> Int {
        var reserved = 0
        for requirementQueue in queue.requirements.dropFirst() where requirementQueue.count > 0 {
            let able = candidates.indices.filter { mayMeet(requirementQueue.requirement, candidates[$0]) }
            if able.isEmpty { continue }
            var part = able.map { hands[$0] }
            for (place, index) in able.enumerated() where part[place].count == 0 {
                let busy = min(backends[candidates[index]].counts.busy, part[place].limit, total - reserved)
                part[place].count = busy
                reserved += busy
            }
            let before = part.reduce(0) { $0 + $1.count }
            WeightedShares.deal(min(requirementQueue.count, total - reserved), to: &part)
            reserved += part.reduce(0) { $0 + $1.count } - before
            for (place, index) in able.enumerated() { hands[index] = part[place] }
        }
        return reserved
    }

    /// Whether the backend's connections meet the requirement, or none is there to tell.
    private func mayMeet(_ requirement: [String: String], _ backend: Int) -> Bool {
        if backends[backend].counts.usable == 0 { return true }
        for slot in slots where slot.backend == Int32(backend) && slot.connected && slot.state != .free {
            if attributes.matches(slot.attributes, requirement) { return true }
        }
        return false
    }

    private mutating func setFailed(_ now: Bool, now instant: Int64) {
        if failed != now {
            let before = state
            failed = now
            if observed, state != before { emit(.state(from: before, to: state)) }
        }
        if failed, mode == .running, queue.count > 0 { failQueue(.failed, now: instant) }
    }

    /// Closes idle connections that are more than wanted, once the wanted ones are there to replace them.
    mutating func trim(_ now: Int64) {
        needsTrim = false
        trimAt = .never
        var over = counts.live - policy.maxSlots
        var closable = usablePresent - wantedTotal
        guard over > 0 || closable > 0 else { return }
        for backend in order.reversed() {
            while over > 0 || (closable > 0 && backends[backend].surplus > 0) {
                guard let slot = coldest(backend) else { break }
                if over <= 0, let later = backends[backend].churn.take(now) {
                    trimAt = min(trimAt, later)
                    break
                }
                close(slot, .surplus, now: now)
                over -= 1
                closable -= 1
            }
        }
    }

    /// If there are more backends than connections wanted, the one that was unused longest takes the place of the
    /// least preferred one in use.
    mutating func exchangeOne(_ now: Int64) {
        var newcomer: Int?
        for backend in order where backends[backend].wanted == 0 {
            if backends[backend].isDead || backends[backend].isDoubted { continue }
            if newcomer == nil || backends[backend].plannedAt < backends[newcomer!].plannedAt {
                newcomer = backend
            }
        }
        guard let newcomer else { return }
        order.removeAll { $0 == newcomer }
        order.insert(newcomer, at: 0)
        needsPlan = true
    }

    /// Begins to watch falling demand, or notes that it is back.
    mutating func watchDemand(_ now: Int64) {
        if demand >= planned {
            shrink.peakAt = now
        } else if sampleAt == .never, policy.source.shrink == .lowPass {
            // Until this event it was not below.
            shrink.peakAt = now
            shrink.begin(planned, now: now)
            sampleAt = now.after(DemandFilter.interval)
        }
    }

    mutating func sampleDemand(_ now: Int64) {
        let demand = demand
        let floor = shrink.sample(demand: demand, now: now)
        if floor < planned {
            planned = floor
            needsPlan = true
        }
        sampleAt = demand < planned ? now.after(DemandFilter.interval) : .never
    }
}
