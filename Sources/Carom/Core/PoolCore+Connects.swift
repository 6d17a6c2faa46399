// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Starts the connects that are wanted and allowed now, and notes when the next one is.
    ///
    /// Live backends come first, in turns; a probe of a dead one needs a slot they do not want.
    mutating func startConnects(_ now: Int64) {
        needsConnects = false
        connectAt = .never
        blocked = false
        var effective = 0
        for backend in order where !backends[backend].isDead {
            effective += min(backends[backend].counts.live, backends[backend].wanted)
        }
        let goal = min(wantedTotal, demand)
        var progress = true
        while progress, effective < goal {
            progress = false
            for backend in order where effective < goal && !backends[backend].isDead {
                if startIfAllowed(backend, now: now) {
                    effective += 1
                    progress = true
                }
            }
        }
        lacking = wantedTotal - effective
        probe(reserved: max(0, goal - effective), now: now)
        if blocked, counts.closing == 0 { makeRoom(now) }
    }

    private mutating func startIfAllowed(_ backend: Int, now: Int64) -> Bool {
        guard backends[backend].deficit > 0 else { return false }
        let limit = backends[backend].health.isUnreachable ? 1 : policy.source.connectConcurrency
        guard backends[backend].counts.connecting < limit else { return false }
        if now < backends[backend].health.notBefore {
            connectAt = min(connectAt, backends[backend].health.notBefore)
            return false
        }
        guard counts.connecting < policy.source.totalConnectConcurrency else { return false }
        guard counts.all < policy.maxSlots else {
            if backends[backend].health.isProven || backends[backend].counts.live == 0 { blocked = true }
            return false
        }
        startConnect(backend, now: now)
        return true
    }

    /// Dead backends, the one that waited longest first.
    private mutating func probe(reserved: Int, now: Int64) {
        var due: [Int] = []
        for backend in order where backends[backend].isDead && backends[backend].counts.live == 0 {
            if now < backends[backend].health.notBefore {
                connectAt = min(connectAt, backends[backend].health.notBefore)
            } else {
                due.append(backend)
            }
        }
        if due.count > 1 { due.sort { backends[$0].health.notBefore < backends[$1].health.notBefore } }
        for backend in due {
            guard counts.connecting < policy.source.totalConnectConcurrency,
                counts.all < policy.maxSlots - reserved
            else { return }
            startConnect(backend, now: now)
        }
    }

    private mutating func startConnect(_ backend: Int, now: Int64) {
        let slot = makeSlot(backend: backend)
        totals.connects += 1
        backends[backend].totalConnects += 1
        let attempt = backends[backend].health.failures + 1
        slots[slot].attempt = Int32(clamping: attempt)
        begin(slot, .connecting, now: now, limit: policy.connectTimeout)
        if observed { emit(.connectStarted(id(slot), backends[backend].id, attempt: attempt)) }
        effects.append(
            .connect(
                id(slot), backends[backend].backend, attempt: attempt, affinity: affinityOfNextWaiter(),
                deadline: slots[slot].deadline))
    }

    /// The worker of the oldest waiter no connect was started for, who counts as provided for from now on.
    private mutating func affinityOfNextWaiter() -> Int? {
        var oldest = -1
        for requirementQueue in queue.requirements.indices
        where queue.requirements[requirementQueue].unassigned >= 0 {
            let waiter = Int(queue.requirements[requirementQueue].unassigned)
            if oldest < 0 || queue.records[waiter].sequence < queue.records[oldest].sequence {
                oldest = waiter
            }
        }
        if oldest < 0 { return nil }
        queue.requirements[Int(queue.records[oldest].requirementQueue)].unassigned =
            queue.records[oldest].next
        let affinity = queue.records[oldest].affinity
        return affinity == .noAffinity ? nil : affinity
    }

    /// A connect that is due finds the pool full: one idle connection of a backend that has more than its share
    /// goes, within the churn limit. If none is idle, the next to come back goes.
    private mutating func makeRoom(_ now: Int64) {
        var donor: Int?
        for backend in order where backends[backend].surplus > 0 && backends[backend].counts.idle > 0 {
            if donor == nil || backends[backend].surplus > backends[donor!].surplus { donor = backend }
        }
        guard let donor, let slot = coldest(donor) else { return }
        if let later = backends[donor].churn.take(now) {
            trimAt = min(trimAt, later)
        } else {
            close(slot, .surplus, now: now)
            needsConnects = false
        }
    }
}
