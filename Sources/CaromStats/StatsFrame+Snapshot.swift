// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

extension StatsFrame {
    /// The pools as they are now.
    ///
    /// - Parameters:
    ///   - pools: what to show.
    ///   - since: claims served at the time of the previous message; they are subtracted.
    public init(_ pools: [ObservedPool], since: UInt64 = 0) {
        self.init(pools.map(\.snapshot), since: since)
    }

    /// The pools at one moment.
    ///
    /// - Parameter since: claims served at the time of the previous message.
    init(_ pools: [PoolSnapshot], since: UInt64 = 0) {
        let total = Self.claims(of: pools)
        var sets: [String: SetCounts] = [:]
        var details: [PoolDetails] = []
        for pool in pools {
            var backends: [BackendDetails] = []
            let names = Dictionary(pool.stats.backends.map { ($0.backend.name, 1) }, uniquingKeysWith: +)
            for stats in pool.stats.backends {
                let backend = stats.backend
                var key = names[backend.name] == 1 ? backend.name : backend.id.description
                if pools.count > 1 { key = "\(pool.stats.name)/\(key)" }
                sets[key] = SetCounts(
                    connecting: stats.connecting, unclaimed: stats.idle,
                    checking: stats.checking + stats.recycling,
                    claimed: stats.claimed + stats.acquiring, totalClaims: stats.totalClaims)
                backends.append(BackendDetails(stats, key: key, spread: pool.backends[backend.id]))
            }
            details.append(PoolDetails(pool, backends: backends))
        }
        // A pool that left the list takes its claims along: the sum may fall.
        self.init(claims: total > since ? total - since : 0, sets: sets, carom: Details(pools: details))
    }

    /// Claims served by all pools together.
    static func claims(of pools: [PoolSnapshot]) -> UInt64 {
        pools.reduce(0) { $0 + $1.stats.totals.claims }
    }
}

extension PoolDetails {
    init(_ pool: PoolSnapshot, backends: [BackendDetails]) {
        let stats = pool.stats
        let totals = stats.totals
        self.init(
            name: stats.name, state: stats.state.rawValue, waiters: stats.waiting,
            mostWaiters: stats.mostWaiting,
            oldestWait: stats.oldestWait / .seconds(1), slots: stats.slots, maxSlots: stats.maxSlots,
            plannedSlots: stats.planned,
            totals: Totals(
                claims: totals.claims, waitedClaims: totals.waitedClaims, timeouts: totals.timeouts,
                cancellations: totals.cancellations, failures: totals.failures, shed: totals.shed,
                connects: totals.connects, connectFailures: totals.connectFailures,
                checkFailures: totals.checkFailures, closes: totals.closes, revocations: totals.revocations,
                forgotten: totals.forgotten),
            wait: pool.pool?.wait, hold: pool.pool?.hold, backends: backends)
    }
}

extension BackendDetails {
    init(_ stats: PoolStats.BackendStats, key: String, spread: PoolRecorder.Spread?) {
        let backend = stats.backend
        self.init(
            key: key, name: backend.name, address: backend.address.description, priority: backend.priority,
            weight: backend.weight, attributes: backend.attributes, state: stats.state.rawValue,
            wanted: stats.wanted, connecting: stats.connecting, idle: stats.idle, acquiring: stats.acquiring,
            claimed: stats.claimed, checking: stats.checking, recycling: stats.recycling,
            closing: stats.closing,
            totalClaims: stats.totalClaims, totalConnects: stats.totalConnects,
            failedConnects: stats.failedConnects, authenticationFailures: stats.authenticationFailures,
            failureScore: stats.score, lastError: stats.lastError, wait: spread?.wait, hold: spread?.hold)
    }
}
