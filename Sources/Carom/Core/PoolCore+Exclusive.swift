// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What only one backend should be. Where two say that they are the primary, one of them takes writes that will be lost: the
/// pool keeps to one and overrules the other, whose connections go as those of a backend that drains.
extension PoolCore {
    /// Overrules all but one of those that match.
    ///
    /// It stays the same until it is known to be something else, is dead or gone, or another one is seen to become what it is.
    mutating func applyExclusive(_ now: Int64) {
        guard let wanted = policy.source.exclusive else {
            for backend in order { backends[backend].isOverruled = false }
            return
        }
        let matching = order.filter { matchesExclusive($0, wanted, now: now) }
        if let one = exclusiveBackend, !matching.contains(one) { exclusiveBackend = nil }
        if exclusiveBackend == nil { exclusiveBackend = matching.first { isReachable($0) } }
        for backend in order {
            let isOverruled =
                exclusiveBackend != nil && backend != exclusiveBackend && matching.contains(backend)
            if isOverruled, !backends[backend].isOverruled { overrule(backend, now: now) }
            backends[backend].isOverruled = isOverruled
        }
    }

    /// What was learnt of one that is overruled is forgotten after a while: it may have been put right.
    private mutating func matchesExclusive(_ backend: Int, _ wanted: [String: String], now: Int64) -> Bool {
        let record = backends[backend]
        if record.isOverruled, record.counts.usable == 0, record.learntAt != .min {
            let forgetAt = record.learntAt.after(Self.overruledMemory)
            if now >= forgetAt { forget(backend) } else { replanAt = min(replanAt, forgetAt) }
        }
        return !record.isDead && AttributeTable.matches(lastKnown(backend), wanted)
    }

    private mutating func forget(_ backend: Int) {
        attributes.release(backends[backend].learnt)
        backends[backend].learnt = 0
        backends[backend].learntAt = .min
    }

    private mutating func overrule(_ backend: Int, now: Int64) {
        backends[backend].isOverruled = true
        needsRecall = true
        if observed, let one = exclusiveBackend {
            emit(.overruled(backends[backend].id, by: backends[one].id))
        }
        for slot in slots.indices where slots[slot].backend == Int32(backend) && slots[slot].state == .idle {
            close(slot, .surplus, now: now)
        }
    }

    /// A backend has turned out to match or not. One that is seen to become what it was not takes over, as does one that is found
    /// while the other cannot be reached.
    mutating func noteExclusive(_ backend: Int, was before: [String: String]?, is now: Int32) {
        guard let wanted = policy.source.exclusive else { return }
        needsPlan = true
        guard attributes.matches(now, wanted), backend != exclusiveBackend else { return }
        if let before {
            if AttributeTable.matches(before, wanted) { return }
        } else if let one = exclusiveBackend, isReachable(one) {
            return
        }
        exclusiveBackend = backend
    }
}
