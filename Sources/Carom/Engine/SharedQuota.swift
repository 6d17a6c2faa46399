// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Limits on connections that pools share. ``Pool/share(_:limits:)`` makes a pool a member.
///
/// The shell around ``Quota``: a lock, and who is told what it decides. A pool may call it under its own lock, and it calls pools
/// without holding any.
package final class SharedQuota: Sendable {
    private struct State {
        var core = Quota()
        var engines: [Int: PoolEngine] = [:]
        /// Somebody is about to tell members what was decided; whatever comes up meanwhile is told by the same.
        var isBusy = false
        var isAgain = false
    }

    private let state = Mutex(State())

    package init() {}

    /// How many connections the pools of a group have, those that are being opened or closed included.
    package func count(_ group: QuotaGroup) -> Int { state.withLock { $0.core.held(group) } }

    /// What all groups have come to at this moment, in no order.
    ///
    /// - Parameter clock: that of the pools.
    package func uses(_ clock: some PoolClock) -> [QuotaUse] {
        let now = clock.now.nanoseconds
        return state.withLock { $0.core.uses(now: now) }
    }

    // MARK: For members, under their locks

    func join(_ engine: PoolEngine, _ limits: [QuotaLimit], held: Int) -> Int {
        state.withLock { state in
            let member = state.core.join(limits, held: held)
            state.engines[member] = engine
            return member
        }
    }

    func change(_ member: Int, _ limits: [QuotaLimit]) {
        state.withLock { $0.core.change(member, limits) }
    }

    func leave(_ member: Int) {
        state.withLock { state in
            state.core.leave(member)
            state.engines[member] = nil
        }
    }

    /// See ``Quota/report(_:wants:since:released:connectTime:now:)``. If it says so, ``settle(_:)`` has to follow without any lock.
    func report(
        _ member: Int, wants: Bool, since: Int64, released: Int, connectTime: Int64, now: Int64
    ) -> Bool {
        state.withLock { state in
            state.core.report(
                member, wants: wants, since: since, released: released, connectTime: connectTime,
                now: now)
        }
    }

    /// See ``Quota/keeps(_:since:now:)``.
    func keeps(_ member: Int, since: Int64, now: Int64) -> Bool {
        state.withLock { $0.core.keeps(member, since: since, now: now) }
    }

    /// The limits that keep a member from another connection.
    func obstacles(of member: Int) -> [QuotaLimit] { state.withLock { $0.core.obstacles(of: member) } }

    // MARK: Telling members

    /// Gives places to those that wait for them, and has others make room. Without any lock.
    func settle(_ now: Int64) {
        let isMine = state.withLock { state in
            state.isAgain = true
            if state.isBusy { return false }
            state.isBusy = true
            return true
        }
        guard isMine else { return }
        while isAgain() {
            grant()
            makeRoom(now)
            press()
        }
    }

    private func isAgain() -> Bool {
        state.withLock { state in
            state.isBusy = state.isAgain
            state.isAgain = false
            return state.isBusy
        }
    }

    private func grant() {
        while true {
            let contenders = state.withLock { state in
                state.core.contenders.map { ($0, state.engines[$0]) }
            }
            if contenders.isEmpty { return }
            if contenders.count > 1 {
                // Claims have been served meanwhile: who waits longest is asked anew.
                let since = contenders.map { ($0, $1?.oldestClaim() ?? .never) }
                state.withLock { state in
                    for (member, since) in since { state.core.note(member, since: since) }
                }
            }
            let granted = state.withLock { state in
                state.core.grant().map { state.engines[$0] }
            }
            guard let granted else { return }
            granted?.takePlace()
        }
    }

    private func makeRoom(_ now: Int64) {
        let asked = state.withLock { state in state.core.survey(now).map { ($0, state.engines[$0]) } }
        if asked.isEmpty { return }
        let idle = Dictionary(uniqueKeysWithValues: asked.map { ($0, $1?.longestIdle() ?? .never) })
        let evictions = state.withLock { state in
            state.core.evictions(idle: idle, now: now).map { ($0.member, state.engines[$0.member], $0.since) }
        }
        for (member, engine, since) in evictions where engine?.closeIdle(since: since) != true {
            state.withLock { $0.core.stays(member) }
        }
    }

    private func press() {
        let changes = state.withLock { state in
            state.core.pressureChanges().map { (state.engines[$0.member], $0.isPressed) }
        }
        for (engine, isPressed) in changes { engine?.press(isPressed) }
    }
}
