// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Lends an idle connection if there is one that can be lent without validation; nil if the claim would have to
    /// wait or fail. This is the path that must cost next to nothing.
    @inline(__always)
    mutating func claimIdle(_ request: borrowing ClaimRequest, now: Int64) -> SlotID? {
        guard mode == .running else { return nil }
        let slot = choose(request, now: now)
        if slot < 0 || acquires || needsValidation(slot, now: now) { return nil }
        let id = lend(slot, now: now)
        if needsPlan || needsConnects { settle(now) }
        return id
    }

    /// A claim in full: lent, queued, or failed. `timeout` nil means the policy's.
    mutating func claim(_ request: ClaimRequest, timeout: Int64?, now: Int64) -> ClaimDecision {
        if isStopping { return refuse(.stopped) }
        let request = relaxed(request)
        var slot = -1
        if mode == .running {
            slot = choose(request, now: now)
            if slot >= 0, !acquires, !needsValidation(slot, now: now) {
                let id = lend(slot, now: now)
                settle(now)
                return .hand(id)
            }
        }
        var limit = timeout ?? policy.claimTimeout
        if slot < 0 {
            if mode == .running, failed, limit <= 0 || !forgetRefusals(now) { return refuse(.failed) }
            if order.isEmpty, policy.source.failFastWhenEmpty { return refuse(.noBackends) }
            if mode == .running, isHeldBack(request.requirement) { return refuse(.noBackendsOnline) }
        }
        if limit <= 0 { return refuse(reasonForWaiting(request.requirement)) }
        let (product, isBeyond) = policy.codelTarget.multipliedReportingOverflow(by: Self.patienceInTargets)
        let patience = isBeyond ? .never : product
        if policy.codelTarget != .never {
            limit = min(limit, patience)
        }
        if slot < 0, queue.count >= policy.source.maxWaiters { return refuse(.queueFull) }
        let waiter = queue.make(request, now: now, deadline: now.after(limit))
        // Whatever follows may fail the claim before it is told that it waits; then its record is another's.
        let id = queue.id(waiter)
        if slot >= 0 {
            takeIdle(slot)
            beginAcquire(slot, waiter: waiter, now: now)
        } else {
            queue.enqueue(waiter)
            // Backends in doubt may be asked sooner, or at all, now that somebody waits.
            if trustedPriority == nil || policy.reserveSlots > 0 { needsConnects = true }
            if queue.records[waiter].requirementQueue > 0 || policy.source.scope != .all { needsPlan = true }
            mostWaiting = max(mostWaiting, queue.count)
            if observesWaits { emit(.claimQueued(id, waiting: queue.count)) }
        }
        growIfNeeded(now)
        settle(now)
        return .wait(id)
    }

    /// Takes a waiter out of the queue, at once and without a trace. False: it was no longer waiting.
    mutating func cancel(_ waiter: WaiterID, now: Int64) -> Bool {
        guard let index = queue.find(waiter) else { return false }
        totals.cancellations += 1
        if observesWaits { emit(.claimCancelled(waiter)) }
        dismiss(index)
        settle(now)
        return true
    }

    private mutating func refuse(_ code: PoolError.Code) -> ClaimDecision {
        totals.failures += 1
        if observed { emit(.claimFailed(nil, code, waited: .zero)) }
        return .fail(code)
    }

    /// What a claim that waits, or would have to, is waiting for, as an error.
    func reasonForWaiting(_ requirement: [String: String]) -> PoolError.Code {
        if mode == .suspended { return .timedOut }
        if order.isEmpty, counts.usable == 0 { return .noBackends }
        if counts.usable < capacity, order.contains(where: { backends[$0].isDead || backends[$0].isDoubted })
        {
            return .noBackendsOnline
        }
        if counts.claimed >= capacity || lacksPlace { return .exhausted }
        let isThere = slots.contains { $0.state.isUsable && attributes.matches($0.attributes, requirement) }
        return isThere ? .exhausted : .noBackendsOnline
    }

    @inline(__always)
    func needsValidation(_ slot: Int, now: Int64) -> Bool {
        now - slots[slot].activeAt > policy.validationBypass
    }

    /// Lends an idle connection.
    @inline(__always)
    mutating func lend(_ slot: Int, now: Int64) -> SlotID {
        takeIdle(slot)
        return hand(slot, now: now)
    }

    /// Makes a connection that is in no idle list the claimer's.
    @inline(__always)
    mutating func hand(_ slot: Int, now: Int64) -> SlotID {
        move(slot, to: .claimed)
        slots[slot].claimedAt = now
        let backend = Int(slots[slot].backend)
        backends[backend].totalClaims += 1
        backends[backend].pass += 1 / backends[backend].share
        totals.claims += 1
        if policy.leakThreshold != .never || policy.leaseLimit != .never {
            arm(slot, by: now.after(min(policy.leakThreshold, policy.leaseLimit)))
        }
        if observesClaims { emit(.claimed(id(slot), backends[backend].id, waited: .zero)) }
        let demand = demand
        if demand >= planned || lacking > 0 { growIfNeeded(now) }
        return id(slot)
    }

    /// Demand has risen, or may have: follow it at once.
    mutating func growIfNeeded(_ now: Int64) {
        if isParkingUsed, demand > planned {
            needsParkedCount = true
            if lacking > 0 { needsConnects = true }
        } else {
            grow(now)
        }
    }

    mutating func grow(_ now: Int64) {
        let demand = demand
        if demand >= planned {
            shrink.peakAt = now
            if demand > planned {
                planned = demand
                needsPlan = true
            }
        }
        if lacking > 0 { needsConnects = true }
    }

    /// Has an idle connection validated and prepared for a waiter.
    mutating func beginAcquire(_ slot: Int, waiter: Int, now: Int64) {
        let validate = needsValidation(slot, now: now)
        slots[slot].waiter = Int32(waiter)
        queue.beginAcquiring(waiter, slot: slot)
        begin(slot, .acquiring, now: now, limit: policy.healthTimeout)
        if observesClaims { emit(.acquireStarted(id(slot))) }
        effects.append(.acquire(id(slot), validate: validate))
    }

    /// Forgets a waiter wherever it is. A connection that was being prepared for it goes on to be idle.
    mutating func dismiss(_ waiter: Int) {
        switch queue.records[waiter].state {
        case .queued:
            queue.leaveQueue(waiter)
            if queue.count == 0 { delay.calm() }
            // It may have been what a place was wanted for.
            if lacksPlace { needsConnects = true }
        case .acquiring:
            slots[Int(queue.records[waiter].slot)].waiter = -1
            queue.endAcquiring(waiter)
        case .free: preconditionFailure("a waiter was dismissed twice")
        }
        queue.release(waiter)
    }

    mutating func fail(_ waiter: Int, _ code: PoolError.Code, now: Int64) {
        let since = queue.records[waiter].since
        if observed { emit(.claimFailed(queue.id(waiter), code, waited: .nanoseconds(now.since(since)))) }
        let requirement = queue.requirements[Int(queue.records[waiter].requirementQueue)].requirement
        effects.append(.fail(queue.id(waiter), code, since: since, requirement: requirement))
        dismiss(waiter)
    }

    /// Fails everyone in the queue, in order of arrival within each requirement.
    mutating func failQueue(_ code: PoolError.Code, now: Int64) {
        for requirementQueue in queue.requirements.indices { failQueue(requirementQueue, code, now: now) }
    }

    /// The same for those of one requirement.
    mutating func failQueue(_ requirementQueue: Int, _ code: PoolError.Code, now: Int64) {
        while queue.requirements[requirementQueue].head >= 0 {
            totals.failures += 1
            fail(Int(queue.requirements[requirementQueue].head), code, now: now)
        }
    }
}
