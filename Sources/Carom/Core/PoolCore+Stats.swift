// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// How many connections there may be with the backends at hand.
    var capacity: Int {
        let live = order.count { !backends[$0].isDead }
        let (all, overflow) = live.multipliedReportingOverflow(by: policy.source.perBackendMax)
        return overflow || all == 0 ? policy.maxSlots : min(policy.maxSlots, all)
    }

    /// `parked` says of how many connections of each backend holders make no use: they count as idle.
    mutating func stats(name: String, parked: [Int: Int] = [:], now: Int64) -> PoolStats {
        var list: [PoolStats.BackendStats] = []
        let leaving = backends.indices.filter { !backends[$0].present && known[backends[$0].id] == $0 }
        for index in order + leaving { list.append(stats(of: index, parked: parked[index] ?? 0, now: now)) }
        let oldest = queue.oldestSince
        return PoolStats(
            name: name, state: state, backends: list, waiting: queue.count, mostWaiting: mostWaiting,
            oldestWait: oldest == .never ? .zero : .nanoseconds(now.since(oldest)), slots: counts.all,
            maxSlots: policy.maxSlots, planned: planned, totals: totals)
    }

    private mutating func stats(of index: Int, parked: Int, now: Int64) -> PoolStats.BackendStats {
        let score = backends[index].health.window.score(now)
        let record = backends[index]
        return PoolStats.BackendStats(
            backend: record.backend, state: record.present ? record.state : .draining, wanted: record.wanted,
            connecting: record.counts.connecting, idle: record.counts.idle + parked,
            acquiring: record.counts.acquiring,
            claimed: record.counts.claimed - parked, checking: record.counts.checking,
            recycling: record.counts.recycling, closing: record.counts.closing,
            totalClaims: record.totalClaims, totalConnects: record.totalConnects,
            failedConnects: record.failedConnects, authenticationFailures: record.authenticationFailures,
            score: score, lastError: record.health.lastError,
            attributes: record.counts.usable > 0 ? lastKnown(index) : [:], isOverruled: record.isOverruled,
            heldBack: heldBack[record.id]?.text)
    }
}
