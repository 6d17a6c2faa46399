// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Time has come for something, or perhaps for nothing.
    mutating func tick(_ now: Int64) {
        timeOutWaiters(now)
        while let first = timers.first, first.at <= now {
            timers.set(first.slot, at: .never)
            slots[first.slot].timerAt = .never
            fire(first.slot, now: now)
        }
        if isStopping {
            if case .stopping(let end) = mode, now >= end { revokeAll(now) }
            return finishStopping()
        }
        if now >= connectAt { needsConnects = true }
        if now >= replanAt { needsPlan = true }
        if now >= trimAt {
            needsTrim = true
            needsConnects = needsConnects || blocked
        }
        if now >= sampleAt { sampleDemand(now) }
        if now >= watchAt { watch(now) }
        if now >= rebalanceAt {
            rebalanceAt = now.after(policy.rebalanceInterval)
            planned = min(planned, max(demand, counts.live))
            needsPlan = true
        }
        if now >= decoherenceAt {
            decoherenceAt = now.after(policy.decoherenceInterval)
            exchangeOne(now)
        }
        settle(now)
    }

    private mutating func timeOutWaiters(_ now: Int64) {
        while queue.earliestDeadline <= now {
            for deadlineList in queue.deadlines.indices {
                guard deadlineList < queue.deadlines.count else { break }
                let head = Int(queue.deadlines[deadlineList].head)
                if head >= 0, queue.records[head].deadline <= now { timeOut(head, now: now) }
            }
        }
    }

    private mutating func timeOut(_ waiter: Int, now: Int64) {
        totals.timeouts += 1
        switch queue.records[waiter].state {
        case .queued:
            let requirementQueue = Int(queue.records[waiter].requirementQueue)
            fail(waiter, reasonForWaiting(queue.requirements[requirementQueue].requirement), now: now)
        case .acquiring: fail(waiter, queue.records[waiter].tries > 0 ? .acquireFailed : .timedOut, now: now)
        case .free: preconditionFailure("a waiter timed out that does not wait")
        }
        needsConnects = true
    }

    private mutating func fire(_ slot: Int, now: Int64) {
        switch slots[slot].state {
        case .free: return
        case .idle: return fireIdle(slot, now: now)
        case .claimed: return fireClaimed(slot, now: now)
        case .connecting:
            if now < slots[slot].deadline { return watchConnect(slot, now: now) }
        case .acquiring, .recycling, .checking, .closing:
            if now < slots[slot].deadline { return arm(slot, by: slots[slot].deadline) }
        }
        let late = "no answer within \(limit(of: slots[slot].state))"
        switch slots[slot].state {
        case .connecting:
            recordFailedConnect(slot, .backend, "connect: " + late, now: now)
            close(slot, .connectAbandoned, now: now)
        case .acquiring: acquired(id(slot), failure: "acquire: " + late, now: now)
        case .recycling: recycled(id(slot), failure: "recycle: " + late, now: now)
        case .checking:
            checked(id(slot), failure: "check: " + late, now: now)
            doubtSilent(Int(slots[slot].backend), now: now)
        case .closing: lateClose(slot)
        case .free, .idle, .claimed: return
        }
    }

    private func limit(of state: SlotState) -> Duration {
        switch state {
        case .connecting: policy.source.connectTimeout
        case .recycling: policy.source.recycleTimeout ?? .zero
        case .free, .idle, .acquiring, .claimed, .checking, .closing: policy.source.healthTimeout
        }
    }

    /// A close takes longer than it may. It is cancelled, and its slot counts on; only a pool that stops waits no more.
    private mutating func lateClose(_ slot: Int) {
        if isStopping {
            totals.closes += 1
            effects.append(.forget(id(slot)))
            if observed { emit(.closeAbandoned(id(slot))) }
            return freeSlot(slot)
        }
        slots[slot].lingers = true
        slots[slot].deadline = .never
        effects.append(.hurry(id(slot)))
        if observed { emit(.closeOverdue(id(slot))) }
    }

    /// When an idle connection next needs attention.
    mutating func idleDeadline(_ slot: Int) -> Int64 {
        let activeAt = slots[slot].activeAt
        var next = min(slots[slot].checkBy, slots[slot].retireAt)
        if slots[slot].checkEvery != .never { next = min(next, activeAt.after(slots[slot].checkEvery)) }
        if slots[slot].unproven { next = min(next, slots[slot].connectedAt.after(policy.stableAfter)) }
        if policy.idleLimit != .never { next = min(next, activeAt.after(policy.idleLimit)) }
        return next
    }

    private mutating func fireIdle(_ slot: Int, now: Int64) {
        let backend = Int(slots[slot].backend)
        if slots[slot].unproven, now - slots[slot].connectedAt >= policy.stableAfter { prove(slot) }
        if now >= slots[slot].retireAt {
            if let later = backends[backend].churn.take(now) {
                slots[slot].retireAt = later
            } else {
                return close(slot, .tooOld, now: now)
            }
        }
        let due =
            slots[slot].checkEvery == .never ? .never : slots[slot].activeAt.after(slots[slot].checkEvery)
        if now >= min(slots[slot].checkBy, due) { return beginCheck(slot, now: now) }
        if policy.idleLimit != .never, now >= slots[slot].activeAt.after(policy.idleLimit) {
            if counts.usable > demand {
                planned = max(demand, min(planned, counts.usable) - 1)
                needsPlan = true
                return close(slot, .surplus, now: now)
            }
            arm(slot, by: min(now.after(policy.idleLimit), nextExceptIdleLimit(slot)))
        } else {
            arm(slot, by: idleDeadline(slot))
        }
    }

    private func nextExceptIdleLimit(_ slot: Int) -> Int64 {
        let record = slots[slot]
        let due = record.checkEvery == .never ? .never : record.activeAt.after(record.checkEvery)
        return min(due, record.checkBy, record.retireAt)
    }

    private mutating func beginCheck(_ slot: Int, now: Int64) {
        takeIdle(slot)
        if queue.count > 0 { needsConnects = true }
        totals.checks += 1
        slots[slot].checkBy = .never
        begin(slot, .checking, now: now, limit: policy.healthTimeout)
        if observed { emit(.checkStarted(id(slot))) }
        effects.append(.check(id(slot)))
    }

    private mutating func fireClaimed(_ slot: Int, now: Int64) {
        let held = now.since(slots[slot].claimedAt)
        if held >= policy.leaseLimit { return revoke(slot, now: now) }
        if held >= policy.leakThreshold, !slots[slot].overdue {
            slots[slot].overdue = true
            effects.append(.overdue(id(slot), held: held))
        }
        let leak = slots[slot].overdue ? .never : slots[slot].claimedAt.after(policy.leakThreshold)
        arm(slot, by: min(leak, slots[slot].claimedAt.after(policy.leaseLimit)))
    }

    /// Takes a lease away: the connection is closed under its holder.
    mutating func revoke(_ slot: Int, now: Int64) {
        totals.revocations += 1
        if observed {
            emit(
                .revoked(id(slot), backendID(of: slot), held: .nanoseconds(now.since(slots[slot].claimedAt))))
        }
        close(slot, .revoked, now: now)
    }
}
