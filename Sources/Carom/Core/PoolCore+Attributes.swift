// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// What a connection matches: what the connector learnt, before what the resolver says of the backend.
    private func known(_ slot: Int, _ learnt: [String: String]) -> [String: String] {
        let given = backends[Int(slots[slot].backend)].backend.attributes
        return given.isEmpty ? learnt : given.merging(learnt) { $1 }
    }

    mutating func setAttributes(_ slot: Int, _ learnt: [String: String]) {
        let old = slots[slot].attributes
        slots[slot].attributes = attributes.retain(known(slot, learnt))
        attributes.release(old)
        announce(slot)
    }

    /// Notes what was learnt of a backend last, and tells observers if that is news.
    private mutating func announce(_ slot: Int) {
        let backend = Int(slots[slot].backend)
        let (before, now) = (backends[backend].latest, slots[slot].attributes)
        if before == now { return }
        if observed { emit(.attributes(backends[backend].id, from: attributes[before], to: attributes[now])) }
        attributes.retain(entry: now)
        attributes.release(before)
        backends[backend].latest = now
    }

    /// What a backend's connections match, or did last, or should by what the resolver says.
    func lastKnown(_ backend: Int) -> [String: String] {
        if backends[backend].counts.usable > 0 { return attributes[backends[backend].latest] }
        return backends[backend].learntAt == .min
            ? backends[backend].backend.attributes : attributes[backends[backend].learnt]
    }

    /// Whether that would be news.
    func differs(_ id: SlotID, _ learnt: [String: String]) -> Bool {
        guard let slot = find(id), slots[slot].connected else { return false }
        return attributes[slots[slot].attributes] != known(slot, learnt)
    }

    /// A connection matches something else than before: it goes to a waiter that it now suits, or among the idle ones it
    /// now belongs to. Wherever it is, its next claimer is chosen by the new attributes.
    ///
    /// What has changed for one connection may have changed for its backend: the other idle ones are checked.
    mutating func learned(_ id: SlotID, _ learnt: [String: String], now: Int64) {
        guard differs(id, learnt), let slot = find(id) else { return }
        let before = attributes[slots[slot].attributes]
        if slots[slot].state == .idle {
            takeIdle(slot)
            setAttributes(slot, learnt)
            putIdle(slot, now: now)
            if mode == .running, let waiter = nextWaiter(for: slot, now: now) {
                serveIdle(slot, waiter, now: now)
            }
        } else {
            setAttributes(slot, learnt)
        }
        if isStopping { return }
        noteExclusive(Int(slots[slot].backend), was: before, is: slots[slot].attributes)
        suspectBackend(Int(slots[slot].backend), now: now)
        needsPlan = true
        settle(now)
    }

    /// Gives an idle connection to a waiter in the queue, once somebody has looked at it: what it did in its rest is not
    /// known here.
    mutating func serveIdle(_ slot: Int, _ waiter: Int, now: Int64) {
        takeIdle(slot)
        queue.leaveQueue(waiter)
        beginAcquire(slot, waiter: waiter, now: now)
    }
}
