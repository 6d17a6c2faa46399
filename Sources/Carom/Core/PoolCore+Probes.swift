// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A full pool has no place to find out whether a backend is back: now and then it makes one.
extension PoolCore {
    /// How many of the connections that are planned give way to a probe: one while a probe is due or under way, if every connection there
    /// may be is wanted and there are fewer backends than connections. A probe that says nothing loses its place.
    mutating func placesForProbes(_ total: Int, now: Int64) -> Int {
        makesProbePlace = false
        guard total >= policy.maxSlots, policy.maxSlots > 1, let rank = rankInUse() else { return 0 }
        for backend in order where backends[backend].rank <= rank && lacksShare(backend, of: total) {
            if backends[backend].counts.connecting > 0 {
                if backend != probedBackend || backends[backend].health.isSlow {
                    replanAt = min(replanAt, now.after(Self.probeRoomInterval))
                    continue
                }
                makesProbePlace = true
                return 1
            }
            let due = backends[backend].health.nextConnect(isAwaited: queue.count > 0)
            let at = max(due, probeRoomAt, backends[backend].askedAt.after(Self.probeRoomInterval))
            if now >= at {
                makesProbePlace = true
                return 1
            }
            replanAt = min(replanAt, at)
        }
        return 0
    }

    /// A probe has begun: if the place is its own, another one is made after a while only.
    mutating func noteProbe(_ backend: Int, now: Int64) {
        guard makesProbePlace else { return }
        probedBackend = backend
        probeRoomAt = now.after(Self.probeRoomInterval)
    }

    /// The rank of the backends that are counted on; nil if there are none, or as many as there may be connections.
    private func rankInUse() -> Int? {
        var (best, count) = (Int.max, 0)
        for backend in order where backends[backend].isInScope {
            if backends[backend].isDead || backends[backend].isDoubted { continue }
            let rank = backends[backend].rank
            if rank < best { (best, count) = (rank, 0) }
            if rank == best { count += 1 }
        }
        return count > 0 && count < policy.maxSlots ? best : nil
    }

    /// It would have more connections if it could be counted on, and only a connect can show whether it can.
    private func lacksShare(_ backend: Int, of total: Int) -> Bool {
        let record = backends[backend]
        guard record.isDead || record.isDoubted && record.health.doubtEnd == .never, !record.isShunned,
            !record.health.isRefused
        else { return false }
        if record.counts.usable > 0 {
            let living = order.map { backends[$0] }.filter { $0.isInScope && !$0.isDead }
            let equals = living.filter { $0.rank == record.rank }
            let shares = equals.reduce(0) { $0 + $1.share }
            return Double(record.counts.usable + 1) * shares <= Double(total) * record.share
        }
        guard let wanted = scopeAttributes, record.learntAt != .min else { return true }
        return AttributeTable.matches(lastKnown(backend), wanted)
    }
}
