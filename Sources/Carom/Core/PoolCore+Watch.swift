// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What may change about backends while their connections lie idle: a server says nothing unless it is asked.
extension PoolCore {
    /// Has one idle connection of each backend checked. What it learns holds for the others, too.
    mutating func watch(_ now: Int64) {
        watchedAt = now
        watchAt = isWatching ? now.after(random.around(policy.watchInterval, spread: 0.2)) : .never
        for backend in order where backends[backend].counts.checking == 0 {
            guard let slot = coldest(backend), slots[slot].checkBy > now else { continue }
            slots[slot].checkBy = now
            arm(slot, by: now)
        }
        if isSearching { needsPlan = true }
    }

    /// With one backend there is nobody to go to instead.
    var isWatching: Bool { policy.watchInterval != .never && order.count > 1 }

    /// A check had no answer in time: whoever else is idle there is checked at once, and lent to nobody before it has answered.
    mutating func doubtSilent(_ backend: Int, now: Int64) {
        for slot in slots.indices where slots[slot].backend == Int32(backend) && slots[slot].state == .idle {
            if slots[slot].checkBy <= now { continue }
            slots[slot].checkBy = now
            arm(slot, by: now)
        }
    }

    /// The same, said from outside.
    mutating func silent(_ id: BackendID, now: Int64) {
        guard let backend = known[id], !isStopping else { return }
        doubtSilent(backend, now: now)
    }

    /// No backend is known to be what a waiter asks for: those that are something else are looked at sooner, one of them may
    /// have been promoted.
    mutating func hastenWatch(_ now: Int64) {
        watchAt = min(watchAt, max(now, watchedAt == .min ? now : watchedAt.after(Self.searchInterval)))
    }
}
