// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// How many servers the pools of a route may have.
struct PoolSize: Equatable, Sendable {
    /// The pool that the route shares with others, if it does.
    let shared: SharedPoolSettings?
    /// Its own or that of the shared pool; nil is no limit.
    let size: Int?
    /// Servers beyond that, for clients that have waited too long.
    let reserve: Int

    /// Of the shared pool.
    var limit: QuotaLimit? {
        shared.map { QuotaLimit(QuotaGroup("shared_pool", $0.name), $0.poolSize) }
    }

    init(_ route: RouteSettings, _ settings: Settings) {
        shared = settings.sharedPools.first { $0.name == route.sharedPool }
        size = route.poolSize ?? shared?.poolSize
        let isUsed = size != nil && settings.reservePoolTimeout != nil
        reserve =
            isUsed ? route.reservePoolSize ?? route.database.reservePoolSize ?? settings.reservePoolSize : 0
    }
}
