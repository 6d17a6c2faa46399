// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// A claimer gives its connection back, which now sits on this worker.
    mutating func giveBack(_ id: SlotID, _ kind: ReturnKind, affinity: Int, now: Int64) -> ReturnDecision {
        guard let slot = find(id), slots[slot].state == .claimed else { return .late }
        let claimedAt = slots[slot].claimedAt
        var held = now.since(claimedAt)
        if case .parked(let since) = kind {
            held = since.since(claimedAt)
            parked = max(0, parked - 1)
        }
        totals.holdNanoseconds &+= UInt64(held)
        if observesClaims { emit(.returned(id, held: .nanoseconds(held))) }
        if slots[slot].overdue {
            slots[slot].overdue = false
            effects.append(.overdueReturned(id, held: held))
        }
        slots[slot].affinity = affinity
        switch kind {
        case .clean, .parked:
            slots[slot].activeAt = claimedAt.after(held)
            if slots[slot].unproven, now - slots[slot].connectedAt >= policy.stableAfter {
                prove(slot)
                settle(now)
            }
        case .untouched: break
        case .recycle:
            slots[slot].activeAt = now
            if let reason = reasonToClose(slot, now: now) {
                close(slot, reason, now: now)
            } else {
                totals.recycles += 1
                begin(slot, .recycling, now: now, limit: policy.recycleTimeout)
                if observed { emit(.recycleStarted(id)) }
                effects.append(.recycle(id))
            }
            settle(now)
            return .kept
        case .discard(let reason, let blame, let suspect):
            if reason == .forgotten {
                totals.forgotten += 1
                if observed { emit(.forgotten(id)) }
            }
            discard(slot, reason, blame: blame, suspect: suspect, now: now)
            return .kept
        }
        if let reason = reasonToClose(slot, now: now) {
            close(slot, reason, now: now)
        } else if let waiter = nextWaiter(for: slot, now: now) {
            return serveReturned(slot, waiter, now: now)
        } else {
            putIdle(slot, now: now)
            if sampleAt == .never, demand < planned { watchDemand(now) }
            return .kept
        }
        settle(now)
        return .kept
    }

    private mutating func serveReturned(_ slot: Int, _ waiter: Int, now: Int64) -> ReturnDecision {
        if acquires {
            queue.leaveQueue(waiter)
            beginAcquire(slot, waiter: waiter, now: now)
            return .kept
        }
        let id = queue.id(waiter)
        serve(slot, waiter, now: now)
        if sampleAt == .never, demand < planned { watchDemand(now) }
        return .serve(id)
    }

    /// Takes a connection out of service because of what its claimer or the connector said.
    private mutating func discard(
        _ slot: Int, _ reason: PoolEvent.CloseReason, blame: Bool, suspect: Bool, now: Int64
    ) {
        let backend = Int(slots[slot].backend)
        if blame || suspect {
            blameConnection(slot, "connection discarded", now: now)
        }
        close(slot, reason, now: now)
        if suspect { suspectBackend(backend, now: now) }
        needsConnects = true
        settle(now)
    }

    /// Why a connection that is free now must not be kept.
    @inline(__always)
    mutating func reasonToClose(_ slot: Int, now: Int64) -> PoolEvent.CloseReason? {
        let backend = Int(slots[slot].backend)
        if !backends[backend].present { return .backendRemoved }
        if isStopping { return .stopping }
        if counts.all > policy.maxSlots { return .surplus }
        if now >= slots[slot].retireAt { return .tooOld }
        if backends[backend].counts.live > backends[backend].wanted, backends[backend].surplus > 0 {
            return surplusReason(backend, now: now)
        }
        return nil
    }

    /// A backend has more than planned: the connection goes if the others are there, or must make room for them.
    private mutating func surplusReason(_ backend: Int, now: Int64) -> PoolEvent.CloseReason? {
        if backends[backend].isShunned { return .surplus }
        let others = usablePresent > wantedTotal
        guard others || (blocked && counts.closing == 0) else { return nil }
        return backends[backend].churn.take(now) == nil ? .surplus : nil
    }

    /// Connections that work, on backends the resolver knows.
    var usablePresent: Int {
        if draining == 0 { return counts.usable }
        var usable = counts.usable
        for backend in backends where !backend.present { usable -= backend.counts.usable }
        return usable
    }

    /// The first waiter in order of arrival whose requirement the connection meets. Sheds on the way what
    /// controlled delay gives up.
    mutating func nextWaiter(for slot: Int, now: Int64) -> Int? {
        while queue.count > 0, mode == .running {
            var waiter: Int32 = -1
            for requirementQueue in queue.requirements.indices {
                let head = queue.requirements[requirementQueue].head
                if head < 0 { continue }
                if requirementQueue > 0,
                    !attributes.matches(
                        slots[slot].attributes, queue.requirements[requirementQueue].requirement)
                {
                    continue
                }
                if waiter < 0 || queue.records[Int(head)].sequence < queue.records[Int(waiter)].sequence {
                    waiter = head
                }
            }
            if waiter < 0 { return nil }
            let index = Int(waiter)
            let sojourn = now.since(queue.records[index].since)
            if !delay.sheds(sojourn, now: now, target: policy.codelTarget, interval: policy.codelInterval) {
                return index
            }
            totals.shed += 1
            fail(index, .overloaded, now: now)
        }
        return nil
    }

    /// Makes a connection the waiter's, who is in the queue; the shell has still to be told.
    mutating func serve(_ slot: Int, _ waiter: Int, now: Int64) {
        let since = queue.records[waiter].since
        queue.leaveQueue(waiter)
        queue.release(waiter)
        if queue.count == 0 { delay.calm() }
        handWaited(slot, since: since, now: now)
    }

    mutating func handWaited(_ slot: Int, since: Int64, now: Int64) {
        move(slot, to: .claimed)
        slots[slot].claimedAt = now
        let backend = Int(slots[slot].backend)
        backends[backend].totalClaims += 1
        backends[backend].pass += 1 / backends[backend].share
        totals.claims += 1
        totals.waitedClaims += 1
        totals.waitNanoseconds &+= UInt64(now.since(since))
        totals.waits.add(nanoseconds: UInt64(now.since(since)))
        if policy.leakThreshold != .never || policy.leaseLimit != .never {
            arm(slot, by: now.after(min(policy.leakThreshold, policy.leaseLimit)))
        }
        if observesWaits {
            emit(.claimed(id(slot), backends[backend].id, waited: .nanoseconds(now.since(since))))
        }
    }

    /// A connection became free in the background: to a waiter, among the idle ones, or closed.
    mutating func makeAvailable(_ slot: Int, now: Int64) {
        if let reason = reasonToClose(slot, now: now) {
            close(slot, reason, now: now)
        } else if let waiter = nextWaiter(for: slot, now: now) {
            if acquires {
                queue.leaveQueue(waiter)
                beginAcquire(slot, waiter: waiter, now: now)
            } else {
                effects.append(.serve(queue.id(waiter), id(slot)))
                serve(slot, waiter, now: now)
            }
        } else {
            putIdle(slot, now: now)
        }
    }
}
