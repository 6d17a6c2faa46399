// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Starts the connects that are wanted and allowed now, and notes when the next one is.
    ///
    /// Backends that are counted on come first, in turns; a probe of another one needs a slot they do not want.
    mutating func startConnects(_ now: Int64) {
        needsConnects = false
        connectAt = replanAt
        blocked = false
        lacksPlace = false
        if isEmptied { return }
        reviewReserve(now)
        if needsPlan { return }
        var effective = 0
        for backend in order where !backends[backend].isDead || backends[backend].reserved > 0 {
            effective += min(backends[backend].counts.live, backends[backend].wanted)
        }
        if reservedTotal > 0 {
            for backend in order where backends[backend].counts.live < backends[backend].reserved {
                if startIfAllowed(backend, now: now) { effective += 1 }
            }
        }
        let goal = min(wantedTotal, demand)
        var progress = true
        while progress, effective < goal {
            progress = false
            for backend in order where effective < goal && !backends[backend].isDead {
                if backends[backend].isDoubted { continue }
                if startIfAllowed(backend, now: now) {
                    effective += 1
                    progress = true
                }
            }
        }
        lacking = (trustedPriority == nil ? max(planned, wantedTotal) : wantedTotal) - effective
        probe(reserved: max(0, goal - effective), now: now)
        askForPlace(now)
        if blocked, counts.closing == 0 { makeRoom(now) }
    }

    private mutating func startIfAllowed(_ backend: Int, now: Int64) -> Bool {
        guard backends[backend].deficit > 0 else { return false }
        guard backends[backend].counts.connecting < policy.source.connectConcurrency else { return false }
        if now < backends[backend].health.notBefore {
            connectAt = min(connectAt, backends[backend].health.notBefore)
            return false
        }
        guard mayConnectMore else { return false }
        guard counts.all < policy.maxSlots else {
            if backends[backend].health.isProven || backends[backend].counts.live == 0 { blocked = true }
            return false
        }
        return startConnect(backend, now: now)
    }

    /// A connect that takes its time does not count: it may be one of many to hosts that are gone.
    private var mayConnectMore: Bool {
        counts.connecting - slowConnects < policy.source.totalConnectConcurrency
    }

    /// One connect each to dead and doubted backends, the one that waited longest first.
    private mutating func probe(reserved: Int, now: Int64) {
        let isNeeded = demand > counts.usable
        let isAwaited = queue.count > 0
        var due: [(backend: Int, at: Int64)] = []
        for backend in order where needsProbe(backend, isNeeded: isNeeded) {
            let at = backends[backend].health.nextConnect(isAwaited: isAwaited)
            if now < at {
                connectAt = min(connectAt, at)
            } else {
                due.append((backend, at))
            }
        }
        if due.count > 1 { due.sort { $0.at < $1.at } }
        for (backend, _) in due where mayConnectMore {
            if counts.all < policy.maxSlots - reserved {
                if !startConnect(backend, now: now) { return }
                noteProbe(backend, now: now)
            } else {
                // Nobody is left but the doubted: the others have a turn when one does not answer.
                if isNeeded, trustedPriority == nil, slowConnects > 0 { blocked = true }
                return
            }
        }
    }

    /// Whether a backend the plan does not count on gets a connect beside the plan. One that does not let us in gets it only
    /// if a connection is needed: somebody has to change something first.
    private func needsProbe(_ backend: Int, isNeeded: Bool) -> Bool {
        if backends[backend].counts.connecting > 0 { return false }
        let isRefused = backends[backend].health.isRefused
        if backends[backend].isDead {
            return backends[backend].counts.live == 0 && (isNeeded || !isRefused)
        }
        guard backends[backend].isDoubted, backends[backend].health.doubtEnd == .never,
            backends[backend].counts.live < policy.source.perBackendMax
        else { return false }
        guard let trustedPriority, !isRefused else { return isNeeded }
        return planned > 0 && backends[backend].rank <= trustedPriority
    }

    /// False: others have all the places there are.
    private mutating func startConnect(_ backend: Int, now: Int64) -> Bool {
        guard mayTakePlace() else { return false }
        let slot = makeSlot(backend: backend)
        totals.connects += 1
        backends[backend].totalConnects += 1
        backends[backend].askedAt = now
        let attempt = backends[backend].health.failures + 1
        slots[slot].attempt = Int32(clamping: attempt)
        slots[slot].connectedAt = now
        begin(slot, .connecting, now: now, limit: policy.connectTimeout)
        arm(slot, by: slowAt(slot))
        if observed { emit(.connectStarted(id(slot), backends[backend].id, attempt: attempt)) }
        effects.append(
            .connect(
                id(slot), backends[backend].backend, attempt: attempt, affinity: affinityOfNextWaiter(),
                deadline: slots[slot].deadline))
        return true
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

    /// A connect that is due finds the pool full: a slow connect goes, or one idle connection of a backend that has more
    /// than its share, within the churn limit. If none is idle, the next to come back goes.
    private mutating func makeRoom(_ now: Int64) {
        var donor: Int?
        for backend in order where backends[backend].surplus > 0 && backends[backend].counts.idle > 0 {
            if donor == nil || backends[backend].surplus > backends[donor!].surplus { donor = backend }
        }
        // A search would rather lose what does not serve it than what may.
        if slowConnects > 0, donor == nil || !isSearching {
            giveUpSlowest(now)
            needsConnects = false
            return
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
