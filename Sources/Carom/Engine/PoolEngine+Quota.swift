// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A pool's membership in a quota.
struct QuotaMembership: Sendable {
    let quota: SharedQuota
    let member: Int
    /// What the quota was told last.
    var wants = false
}

/// The pool as a member of its quota: what the quota tells it. Without any lock.
extension PoolEngine {
    /// Goes by these limits from now on; none means that nothing is shared.
    func share(_ quota: SharedQuota, _ limits: [QuotaLimit]) {
        decide { state, now in
            state.share(quota, limits, self)
            state.core.needsConnects = true
            state.core.settle(now)
        }
        quota.settle(now)
    }

    /// When the oldest claim began to wait; `never` if none waits.
    func oldestClaim() -> Int64 { state.withLock { $0.core.oldestWait } }

    /// Since when a connection is idle, the one idle longest; `never` if none is.
    func longestIdle() -> Int64 { state.withLock { $0.core.longestIdle } }

    /// A place is granted.
    func takePlace() {
        decide { state, now in
            state.membership?.wants = false
            state.core.takePlace(now)
        }
    }

    /// Closes a connection that has been idle since then or longer. False: there is none.
    func closeIdle(since: Int64) -> Bool {
        decide { state, now in state.core.closeIdle(since: since, now: now) }
    }

    /// Whether others wait for places that this pool has.
    func press(_ isPressed: Bool) {
        decide { state, now in
            // What is parked now has been in use until now, for all that is known.
            if isPressed { state.lastSweep = now }
            state.core.isPressed = isPressed
        }
    }
}

/// The same under the lock.
extension EngineState {
    fileprivate mutating func share(_ quota: SharedQuota, _ limits: [QuotaLimit], _ engine: PoolEngine) {
        if finished { return }
        if let membership {
            if limits.isEmpty {
                leaveQuota()
            } else {
                quota.change(membership.member, limits)
            }
        } else if !limits.isEmpty {
            membership = QuotaMembership(
                quota: quota, member: quota.join(engine, limits, held: core.counts.all))
            core.isLimited = true
        }
    }

    mutating func leaveQuota() {
        if let membership { membership.quota.leave(membership.member) }
        membership = nil
        core.endLimits()
    }

    /// Tells the quota what has changed. True: it has to settle, once the lock is free.
    mutating func reportToQuota(_ now: Int64) -> Bool {
        guard let membership else { return false }
        let released = core.takeFreedPlaces()
        let wants = core.wantsPlace
        if released == 0, wants == membership.wants, !core.asksForPlace { return false }
        core.asksForPlace = false
        self.membership?.wants = wants
        return membership.quota.report(
            membership.member, wants: wants, since: core.oldestWait, released: released,
            connectTime: core.connectTime, now: now)
    }

    /// What becomes of a connection that comes back while others wait for its place.
    func underPressure(_ kind: ReturnKind, _ now: Int64) -> ReturnKind {
        guard let membership else { return kind }
        switch kind {
        case .discard: return kind
        case .clean, .parked, .recycle, .untouched:
            let keeps = membership.quota.keeps(membership.member, since: core.oldestWait, now: now)
            return keeps ? kind : .discard(.madeRoom, blame: false, suspect: false)
        }
    }
}
