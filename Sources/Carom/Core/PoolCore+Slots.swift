// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// A connect succeeded. False: too late, nobody counts on it any more; the shell closes it.
    mutating func connected(_ id: SlotID, learnt: [String: String], affinity: Int, now: Int64) -> Bool {
        guard let slot = find(id), slots[slot].state == .connecting else {
            if observed { emit(.connectedTooLate(id)) }
            return false
        }
        let backend = Int(slots[slot].backend)
        let time = now.since(slots[slot].connectedAt)
        totals.connectTimes.add(nanoseconds: UInt64(time))
        welcome(backend, now: now)
        backends[backend].health.connected(after: time)
        if isLimited { connectTime = connectTime == 0 ? time : (3 * connectTime + time) / 4 }
        if observed { emit(.connected(id, backends[backend].id)) }
        keepIfOvertaken(slot)
        endConnecting(slot)
        let before =
            backends[backend].learntAt == .min && backends[backend].counts.usable == 0
            ? nil : lastKnown(backend)
        prepare(slot, learnt, affinity, now: now)
        noteExclusive(backend, was: before, is: slots[slot].attributes)
        evaluate(backend, now: now)
        noteDoubt(backend, now: now)
        if needsPlan { plan(now) }
        makeAvailable(slot, now: now)
        // It was not what somebody waits for: the next backend is asked.
        if isSearching || policy.source.scope != .all { needsPlan = true }
        needsTrim = true
        needsConnects = true
        settle(now)
        return true
    }

    /// A slow connect arrives after all, and others may have been opened in its place: a pool that keeps what it opened keeps
    /// both.
    private mutating func keepIfOvertaken(_ slot: Int) {
        guard slots[slot].slow, policy.source.shrink != .lowPass, counts.usable >= planned else { return }
        planned = min(policy.maxSlots, counts.usable + 1)
        needsPlan = true
    }

    private mutating func prepare(_ slot: Int, _ learnt: [String: String], _ affinity: Int, now: Int64) {
        let backend = Int(slots[slot].backend)
        slots[slot].connected = true
        setAttributes(slot, learnt)
        slots[slot].affinity = affinity
        slots[slot].connectedAt = now
        slots[slot].activeAt = now
        slots[slot].deadline = .never
        slots[slot].checkEvery = drawCheck()
        if policy.maxLifetime != .never {
            slots[slot].retireAt = now.after(
                random.early(policy.maxLifetime, spread: policy.source.lifetimeSpread))
        }
        if backends[backend].health.failures > 0 {
            slots[slot].unproven = true
            slots[slot].checkBy = now.after(random.early(Self.probation, spread: 0.5))
        }
    }

    mutating func drawCheck() -> Int64 {
        policy.healthInterval == .never
            ? .never : random.around(policy.healthInterval, spread: policy.source.healthSpread)
    }

    /// A connect failed, or ended after it was abandoned.
    mutating func connectFailed(_ id: SlotID, _ kind: FailureKind, _ reason: String, now: Int64) {
        guard let slot = find(id) else { return }
        switch slots[slot].state {
        case .connecting:
            let backend = Int(slots[slot].backend)
            recordFailedConnect(slot, kind, reason, now: now)
            endConnecting(slot)
            freeSlot(slot)
            evaluate(backend, now: now)
        case .closing where !slots[slot].connected:
            if observed { emit(.closed(id)) }
            freeSlot(slot)
        case .free, .idle, .acquiring, .claimed, .recycling, .checking, .closing: return
        }
        settle(now)
    }

    mutating func recordFailedConnect(_ slot: Int, _ kind: FailureKind, _ reason: String, now: Int64) {
        let backend = Int(slots[slot].backend)
        totals.connectFailures += 1
        backends[backend].failedConnects += 1
        if kind == .authentication { backends[backend].authenticationFailures += 1 }
        backends[backend].health.connectFailed(kind, now: now)
        recordFailure(backend, blamed: kind != .other, restart: false, reason, now: now)
        if makesProbePlace { needsPlan = true }
        let wait = Duration.nanoseconds(max(0, backends[backend].health.notBefore - now))
        if observed {
            emit(.connectFailed(id(slot), backends[backend].id, kind, reason: reason, retryIn: wait))
        }
    }

    /// One step further in the series of failures, unless the last step's wait still runs.
    private mutating func recordFailure(
        _ backend: Int, blamed: Bool, restart: Bool, _ reason: String, now: Int64
    ) {
        if backends[backend].health.recordFailure(reason, blamed: blamed, restart: restart, now: now) {
            let isRefused = backends[backend].health.isRefused
            let least = isRefused ? min(Self.refusedBackoff, policy.maxBackoff) : 0
            let nominal = max(least, backoff(backends[backend].health.failures))
            let wait = random.early(nominal, spread: policy.source.backoffSpread)
            backends[backend].health.wait(
                until: now.after(wait), ifAwaited: now.after(isRefused ? min(wait, least) : wait))
        }
        evaluate(backend, now: now)
        noteDoubt(backend, now: now)
    }

    /// The nominal wait after the n-th failure of a series.
    func backoff(_ failures: Int) -> Int64 {
        var wait = policy.minBackoff
        for _ in 1..<max(1, min(failures, 64)) where wait < policy.maxBackoff { wait = wait.after(wait) }
        return min(wait, policy.maxBackoff)
    }

    /// A connection that worked has died or failed: its backend's next connect waits a step; a connection that
    /// never proved stable continues the series that preceded it.
    mutating func blameConnection(_ slot: Int, _ reason: String, now: Int64) {
        let backend = Int(slots[slot].backend)
        let stable = !slots[slot].unproven || now - slots[slot].connectedAt >= policy.stableAfter
        recordFailure(backend, blamed: true, restart: stable, reason, now: now)
        if stable, backends[backend].health.failures == 1, queue.count > 0, counts.connecting == 0 {
            backends[backend].health.wait(until: now)
        }
    }

    /// A connection opened during a series of failures has proved that the series is over.
    mutating func prove(_ slot: Int) {
        guard slots[slot].unproven else { return }
        slots[slot].unproven = false
        slots[slot].checkBy = .never
        let backend = Int(slots[slot].backend)
        guard backends[backend].health.endSeries() else { return }
        if backends[backend].isDoubted { needsPlan = true }
        setState(backend, .online)
        needsConnects = true
    }

    /// A health check ended.
    mutating func checked(_ id: SlotID, failure reason: String?, now: Int64) {
        guard let slot = find(id), slots[slot].state == .checking else { return }
        if let reason {
            totals.checkFailures += 1
            if observed { emit(.checkFailed(id, reason: reason)) }
            blameConnection(slot, reason, now: now)
            close(slot, .checkFailed, now: now)
        } else {
            if observed { emit(.checkDone(id)) }
            refresh(slot, now: now)
            makeAvailable(slot, now: now)
        }
        settle(now)
    }

    /// A recycle ended. Without blame its failure is not the backend's fault.
    mutating func recycled(_ id: SlotID, failure reason: String?, blame: Bool = true, now: Int64) {
        guard let slot = find(id), slots[slot].state == .recycling else { return }
        if let reason {
            totals.recycleFailures += 1
            if observed { emit(.recycleFailed(id, reason: reason)) }
            if blame { blameConnection(slot, reason, now: now) }
            close(slot, .recycleFailed, now: now)
        } else {
            if observed { emit(.recycleDone(id)) }
            refresh(slot, now: now)
            makeAvailable(slot, now: now)
        }
        settle(now)
    }

    /// A round trip succeeded.
    private mutating func refresh(_ slot: Int, now: Int64) {
        slots[slot].deadline = .never
        slots[slot].activeAt = now
        slots[slot].checkEvery = drawCheck()
        slots[slot].checkBy = .never
        prove(slot)
    }

    /// Validation and acquire hook ended.
    mutating func acquired(_ id: SlotID, failure reason: String?, now: Int64) {
        guard let slot = find(id), slots[slot].state == .acquiring else { return }
        let waiter = Int(slots[slot].waiter)
        slots[slot].waiter = -1
        if let reason {
            if observed { emit(.acquireFailed(id, reason: reason)) }
            blameConnection(slot, reason, now: now)
            close(slot, .acquireFailed, now: now)
            if waiter >= 0 {
                queue.records[waiter].tries += 1
                tryAgain(waiter, now: now)
            }
        } else {
            if observesClaims { emit(.acquireDone(id)) }
            refresh(slot, now: now)
            if waiter >= 0, !suits(slot, waiter) {
                tryAgain(waiter, now: now)
                makeAvailable(slot, now: now)
            } else if waiter >= 0 {
                let since = queue.records[waiter].since
                effects.append(.serve(queue.id(waiter), id))
                queue.endAcquiring(waiter)
                queue.release(waiter)
                handWaited(slot, since: since, now: now)
            } else {
                makeAvailable(slot, now: now)
            }
        }
        settle(now)
    }

    /// The connector saw, before it did anything, that a connection is of no use: that is no try of its waiter's.
    mutating func foundUnusable(_ id: SlotID, now: Int64) {
        guard let slot = find(id), slots[slot].state == .acquiring else { return }
        let waiter = Int(slots[slot].waiter)
        slots[slot].waiter = -1
        close(slot, .unusable, now: now)
        if waiter >= 0 { tryAgain(waiter, now: now) }
        settle(now)
    }

    /// Whether a connection that was examined for a waiter still meets its requirement.
    private func suits(_ slot: Int, _ waiter: Int) -> Bool {
        let requirementQueue = Int(queue.records[waiter].requirementQueue)
        return requirementQueue == 0
            || attributes.matches(slots[slot].attributes, queue.requirements[requirementQueue].requirement)
    }

    /// A waiter's connection failed before it was lent, or has become another kind: another idle one, or back to its
    /// place in the queue.
    private mutating func tryAgain(_ waiter: Int, now: Int64) {
        if queue.records[waiter].tries > policy.source.acquireRetries {
            totals.failures += 1
            return fail(waiter, .acquireFailed, now: now)
        }
        queue.endAcquiring(waiter)
        var request = ClaimRequest.any
        request.requirement = queue.requirements[Int(queue.records[waiter].requirementQueue)].requirement
        let affinity = queue.records[waiter].affinity
        request.affinity = affinity == .noAffinity ? nil : affinity
        let slot = mode == .running ? choose(request, now: now) : -1
        if slot >= 0 {
            takeIdle(slot)
            beginAcquire(slot, waiter: waiter, now: now)
        } else {
            queue.enqueue(waiter)
            needsConnects = true
            needsPlan = needsPlan || isSearching || policy.source.scope != .all
        }
    }

    /// Begins to close what the slot holds. The slot counts until `closed`: until then there may be a socket.
    mutating func close(_ slot: Int, _ reason: PoolEvent.CloseReason, now: Int64) {
        if slots[slot].state == .idle { takeIdle(slot) }
        endConnecting(slot)
        begin(slot, .closing, now: now, limit: policy.closeTimeout)
        let backend = Int(slots[slot].backend)
        if slots[slot].connected { remember(slot, now: now) }
        if backends[backend].isDoubted { needsPlan = true }
        if observed { emit(.closing(id(slot), backends[backend].id, reason)) }
        effects.append(slots[slot].connected ? .close(id(slot)) : .abandon(id(slot)))
        if backends[backend].health.isFailingToConnect { evaluate(backend, now: now) }
        if !backends[backend].present { needsPlan = true }
        needsConnects = true
    }

    /// A connection is closed.
    mutating func closed(_ id: SlotID, now: Int64) {
        guard let slot = find(id), slots[slot].state == .closing else { return }
        totals.closes += 1
        if observed { emit(.closed(id)) }
        freeSlot(slot)
        settle(now)
    }
}
