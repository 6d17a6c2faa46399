// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Says how many connections each backend should have.
    ///
    /// Live backends of the best priority share what is planned in proportion to their weights, in order of
    /// preference. One that is doubted keeps what it has; the rest of its share goes to others of its priority, or to the
    /// next priority if all are doubted. A dead one gets a probe, which takes a slot only if live ones leave one. What
    /// waiters with a requirement need comes first.
    mutating func plan(_ now: Int64) {
        needsPlan = false
        needsRecall = needsRecall || isParkingUsed
        needsTrim = true
        needsConnects = true
        planned = max(min(planned, policy.maxSlots), demand)
        replanAt = .never
        for backend in order {
            let isDead = backends[backend].isDead
            backends[backend].wanted = isDead ? 1 : 0
            backends[backend].reserved = 0
            backends[backend].isDoubted = !isDead && backends[backend].health.isDoubtful(now)
            if backends[backend].isDoubted {
                replanAt = min(replanAt, backends[backend].health.doubtEnd)
            }
        }
        followRamps(now)
        var left = planned
        if draining > 0 {
            for backend in backends where !backend.present { left -= backend.counts.busy }
        }
        left = max(0, left)
        applyExclusive(now)
        relaxWaiters(now)
        let isAsking = applyScope()
        left -= placesForProbes(left, now: now)
        reserveForNewcomer(left)
        reserve(left, now: now)
        left -= reservedTotal
        if isAsking { left = min(left, order.count { backends[$0].isInScope && backends[$0].reserved == 0 }) }
        wantedTotal = reservedTotal
        trustedPriority = nil
        var priority = nextPriority(after: nil)
        while let current = priority {
            let candidates = order.filter {
                !backends[$0].isDead && backends[$0].isInScope && backends[$0].rank == current
            }
            left -= deal(left, to: candidates, now: now)
            if candidates.contains(where: { !backends[$0].isDoubted }) {
                trustedPriority = current
                break
            }
            priority = nextPriority(after: current)
        }
        for backend in order where backends[backend].wanted < backends[backend].reserved {
            backends[backend].wanted = backends[backend].reserved
        }
        if observed { emit(.planned(total: wantedTotal)) }
        setFailed(!order.isEmpty && order.allSatisfy { backends[$0].isDead }, now: now)
    }

    /// The best priority of a live backend in scope, among those worse than the given one.
    private func nextPriority(after priority: Int?) -> Int? {
        var next: Int?
        for backend in order where !backends[backend].isDead && backends[backend].isInScope {
            let own = backends[backend].rank
            if let priority, own <= priority { continue }
            next = min(next ?? own, own)
        }
        return next
    }

    /// Deals connections to backends of one priority, beside what is reserved there; returns how many.
    private mutating func deal(_ total: Int, to candidates: [Int], now: Int64) -> Int {
        // Who has connections comes first while somebody searches: there is one change at a time.
        let candidates =
            !isSearching
            ? candidates
            : candidates.filter { backends[$0].counts.usable > 0 }
                + candidates.filter { backends[$0].counts.usable == 0 }
        var hands = candidates.map { hand(of: $0) }
        WeightedShares.deal(total, to: &hands)
        var dealt = 0
        for (backend, hand) in zip(candidates, hands) {
            backends[backend].wanted = hand.count
            dealt += hand.count - backends[backend].reserved
            if hand.count > 0 { backends[backend].plannedAt = now }
        }
        wantedTotal += dealt
        return dealt
    }

    /// A backend's share, with what is reserved for it.
    func hand(of backend: Int) -> WeightedShares.Share {
        let most = policy.source.perBackendMax
        return WeightedShares.Share(
            weight: backends[backend].share,
            limit: backends[backend].isDoubted ? min(most, backends[backend].counts.usable) : most,
            count: backends[backend].reserved)
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
            if backends[backend].isDead || backends[backend].isDoubted || !backends[backend].isInScope {
                continue
            }
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
