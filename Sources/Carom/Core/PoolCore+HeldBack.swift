// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Backends that somebody outside holds back, such as standbys that lag: they get nothing new, and what is lent there goes when it
/// comes back.
extension PoolCore {
    /// Holds back these backends, and no others.
    mutating func holdBack(_ reasons: [BackendID: HoldReason], now: Int64) {
        let before = heldBack
        heldBack = reasons
        if isStopping || before.mapValues(\.isLasting) == reasons.mapValues(\.isLasting) { return }
        for backend in order {
            let isHeldBack = reasons[backends[backend].id] != nil
            if isHeldBack == backends[backend].isHeldBack { continue }
            backends[backend].isHeldBack = isHeldBack
            note(backend, now: now)
        }
        needsPlan = true
        settle(now)
    }

    private mutating func note(_ backend: Int, now: Int64) {
        let id = backends[backend].id
        guard let reason = heldBack[id] else {
            if observed { emit(.released(id)) }
            return beginRamp(backend, now: now)
        }
        if observed { emit(.heldBack(id, reason: reason.text)) }
        needsRecall = true
        for slot in slots.indices where slots[slot].backend == Int32(backend) && slots[slot].state == .idle {
            close(slot, .surplus, now: now)
        }
    }

    /// Whether there are backends that meet a requirement, or may, and all that do are held back, one of them for long.
    func isHeldBack(_ requirement: [String: String]) -> Bool {
        if heldBack.isEmpty || isLikely(requirement) { return false }
        return order.contains { backend in
            guard heldBack[backends[backend].id]?.isLasting == true else { return false }
            return AttributeTable.matches(lastKnown(backend), requirement) || mayStillBe(requirement, backend)
        }
    }

    /// Fails waiters whom only backends could serve that are held back.
    mutating func failHeldBack(_ now: Int64) {
        if heldBack.isEmpty || mode != .running { return }
        for index in queue.requirements.indices where queue.requirements[index].count > 0 {
            guard isHeldBack(queue.requirements[index].requirement) else { continue }
            failQueue(index, .noBackendsOnline, now: now)
        }
    }
}
