// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// What must hold after every event; nil, or a sentence about the first thing that does not. For tests.
    func brokenInvariant(now: Int64) -> String? {
        brokenCounts() ?? brokenLanes() ?? brokenQueue() ?? brokenPromise(now: now)
    }

    private func brokenCounts() -> String? {
        var recount = SlotCounts()
        var perBackend = ContiguousArray(repeating: SlotCounts(), count: backends.count)
        var slow = 0
        for slot in slots.indices where slots[slot].state != .free {
            let state = slots[slot].state
            if slots[slot].slow { slow += 1 }
            if slots[slot].slow, state != .connecting { return "slot \(id(slot)) is slow and \(state)" }
            recount.add(1, to: state)
            perBackend[Int(slots[slot].backend)].add(1, to: state)
            if state != .idle, state != .claimed {
                if slots[slot].deadline == .never, !slots[slot].lingers,
                    state != .recycling || policy.recycleTimeout != .never
                {
                    return "slot \(id(slot)) is \(state) without a deadline"
                }
                if slots[slot].timerAt > slots[slot].deadline { return "slot \(id(slot)) is not timed" }
            }
            if slots[slot].timerAt != timers.at(slot) { return "the timer of slot \(id(slot)) is elsewhere" }
            if state == .acquiring, slots[slot].waiter >= 0 {
                let waiter = Int(slots[slot].waiter)
                if queue.records[waiter].state != .acquiring || queue.records[waiter].slot != Int32(slot) {
                    return "slot \(id(slot)) is acquired for a waiter that does not know it"
                }
            }
        }
        if slow != slowConnects { return "\(slow) connects are slow, counted as \(slowConnects)" }
        if recount != counts { return "slots are \(recount), counted as \(counts)" }
        for backend in backends.indices where backends[backend].counts != perBackend[backend] {
            return "slots of backend \(backend) are \(perBackend[backend])"
        }
        if needsPlan, !known.isEmpty, !isStopping { return "a new plan is due and was not made" }
        if order.contains(where: { !backends[$0].present }) { return "an absent backend is preferred" }
        return nil
    }

    private func brokenLanes() -> String? {
        for backend in backends.indices {
            var idle = 0
            for idleList in backends[backend].idleLists.indices {
                var slot = backends[backend].idleLists[idleList].head
                var previous: Int32 = -1
                while slot >= 0 {
                    let record = slots[Int(slot)]
                    if record.state != .idle || record.previous != previous
                        || record.idleList != Int32(idleList)
                        || record.backend != Int32(backend)
                    {
                        return "slot \(id(Int(slot))) is in the wrong idle list"
                    }
                    idle += 1
                    previous = slot
                    slot = record.next
                }
                if backends[backend].idleLists[idleList].tail != previous {
                    return "an idle list has lost its tail"
                }
            }
            if idle != backends[backend].counts.idle {
                return "backend \(backend) has \(idle) in its idleLists"
            }
            if (backends[backend].readyPosition >= 0) != (idle > 0) {
                return "backend \(backend) is not ready"
            }
        }
        return nil
    }

    private func brokenQueue() -> String? {
        var waiting = 0
        for requirementQueue in queue.requirements.indices {
            var waiter = queue.requirements[requirementQueue].head
            var previous: Int32 = -1
            var sequence: UInt64 = 0
            var count = 0
            while waiter >= 0 {
                let record = queue.records[Int(waiter)]
                if record.state != .queued || record.previous != previous || record.sequence <= sequence {
                    return "waiter \(waiter) is out of order"
                }
                sequence = record.sequence
                count += 1
                previous = waiter
                waiter = record.next
            }
            if count != queue.requirements[requirementQueue].count {
                return "queue \(requirementQueue) has \(count) waiters"
            }
            waiting += count
        }
        return waiting == queue.count ? nil : "\(waiting) wait, \(queue.count) are counted"
    }

    /// Nobody waits beside an idle connection that would do, nor without a connect under way or reason.
    private func brokenPromise(now: Int64) -> String? {
        guard mode == .running, queue.count > 0 else { return nil }
        if parked > 0 { return "\(parked) count as parked although claims wait" }
        for requirementQueue in queue.requirements where requirementQueue.count > 0 {
            for slot in slots where slot.state == .idle {
                if attributes.matches(slot.attributes, requirementQueue.requirement) {
                    return "an idle connection is waited for"
                }
            }
        }
        if failed { return "claims wait although all backends are dead" }
        let soon = now.after(policy.maxBackoff)
        if order.isEmpty || counts.connecting > 0 || connectAt <= soon || counts.all >= policy.maxSlots {
            return nil
        }
        // Others are only opened to as a search needs them; but whoever would take any is not to wait for want of the right kind.
        let hasScope = order.contains { !backends[$0].isDead && backends[$0].isInScope }
        let leavesOthers = hasScope || queue.requirements[0].count == 0
        for backend in order where !backends[backend].isDead {
            if leavesOthers, !backends[backend].isInScope, backends[backend].deficit == 0 { continue }
            if trustedPriority != nil, backends[backend].deficit == 0 { continue }
            if backends[backend].counts.live >= policy.source.perBackendMax { continue }
            return """
                \(queue.count) claims wait, backend \(backend) lacks connections, and none is being opened: demand \
                \(demand), planned \(planned), wanted \(wantedTotal), \(counts), \
                \(order.map { "\(backends[$0].state) \(backends[$0].wanted) \(backends[$0].counts.live)" })
                """
        }
        return nil
    }
}
