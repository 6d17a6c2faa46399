// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// Suspends, and lets go of every connection: of what nobody uses at once, of what is lent when it comes back. None is
    /// opened before ``resume(now:)``.
    mutating func empty(now: Int64) {
        if isStopping { return }
        suspend()
        isEmptied = true
        retireAll(now: now)
    }

    /// Every connection that is there now is too old from now on. Connects in flight are given up: they may be to what was.
    mutating func retireAll(now: Int64) {
        if isStopping { return }
        for slot in slots.indices {
            switch slots[slot].state {
            case .free, .closing: continue
            case .connecting: close(slot, .connectAbandoned, now: now)
            case .idle: close(slot, .tooOld, now: now)
            case .acquiring, .claimed, .recycling, .checking: slots[slot].retireAt = now
            }
        }
        needsRecall = needsRecall || isParkingUsed
        settle(now)
    }
}
