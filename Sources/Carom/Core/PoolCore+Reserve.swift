// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Connections beyond the pool's size, for claims that have waited too long. While the reserve is open the pool is that much
/// larger, and nothing else is different.
extension PoolCore {
    var isReserveOpen: Bool { policy.maxSlots > policy.source.maxSlots }

    /// Opens the reserve if a claim has waited long enough for what the pool has, and closes it when it was not needed for as long.
    /// Notes when to look again.
    mutating func reviewReserve(_ now: Int64) {
        if policy.reserveSlots == 0 { return }
        if isReserveOpen {
            let isNeeded = counts.busy - min(parked, counts.claimed) + queue.count > policy.source.maxSlots
            if isNeeded {
                reserveIdleSince = .never
            } else if reserveIdleSince == .never {
                reserveIdleSince = now
            }
            let end = (isNeeded ? now : reserveIdleSince).after(policy.reserveAfter)
            if now < end { return connectAt = min(connectAt, end) }
            policy.maxSlots = policy.source.maxSlots
            needsPlan = true
            if observed { emit(.reserveClosed) }
        } else if queue.count > 0, mode == .running, counts.live >= policy.maxSlots {
            let due = queue.oldestSince.after(policy.reserveAfter)
            if now < due { return connectAt = min(connectAt, due) }
            policy.maxSlots += policy.reserveSlots
            reserveIdleSince = .never
            totals.reserveOpenings += 1
            needsPlan = true
            if observed { emit(.reserveOpened(policy.reserveSlots)) }
        }
    }
}
