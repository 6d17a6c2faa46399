// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// Limits of connections to servers that a route shares with others, as it goes by them; nil is no limit.
struct ServerLimits: Equatable, Sendable {
    /// Of the route itself, with its reserve: shared with its clients for replication, whose servers are none of its pool's.
    private(set) var route: Int?
    private let reserve: Int
    let storage: QuotaLimit?
    let sharedPool: QuotaLimit?
    let database: Int?
    let user: Int?
}

extension ServerLimits {
    /// The most specific counts: what the block says, else the top.
    init(_ route: RouteSettings, _ settings: Settings) {
        let size = PoolSize(route, settings)
        self.route = route.poolSize.map { $0 + size.reserve }
        reserve = size.reserve
        storage = QuotaLimit(settings.storage(of: route))
        sharedPool = size.limit
        database = (route.database.maxServers ?? settings.maxDatabaseServers).limit
        user = (route.maxUserServers ?? settings.maxUserServers).limit
    }

    /// The same for clients for replication, who do not open the reserve.
    var forReplication: ServerLimits {
        var limits = self
        limits.route = route.map { $0 - reserve }
        return limits
    }

    /// - Parameters:
    ///   - database: as clients call it.
    ///   - user: as servers know it.
    func all(database: String, user: String) -> [QuotaLimit] {
        [
            storage, sharedPool, self.database.map { QuotaLimit(QuotaGroup("database", database), $0) },
            self.user.map { QuotaLimit(QuotaGroup("user", user), $0) },
        ].compactMap { $0 }
    }
}

extension QuotaLimit {
    /// Of all connections to the servers of a storage; nil if it has no limit.
    init?(_ storage: StorageSettings) {
        guard let limit = storage.maxConnections else { return nil }
        self.init(QuotaGroup("storage", storage.name), limit)
    }
}
