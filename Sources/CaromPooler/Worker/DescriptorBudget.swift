// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// How the process's descriptors are shared out: clients leave a reserve to servers, and clients that have not logged in
/// leave room to those that have.
struct DescriptorBudget: Equatable, Sendable {
    /// What the process may have open (`RLIMIT_NOFILE`).
    let limit: Int
    /// What clients leave to everything else.
    let reserve: Int
    /// Clients that may be connected without having logged in.
    let logins: Int

    /// - Parameter limit: what the process may have open.
    init(_ settings: Settings, limit: Int) {
        self.limit = limit
        reserve = min(Self.servers(settings, atMost: limit) + Self.others, limit / 4)
        logins = settings.clientMaxRouting ?? max(1, (limit - reserve) / 2)
    }

    /// Connections for cancels, DNS and statistics; files that are opened now and then.
    private static var others: Int { 32 }

    /// Connections to servers that there can be. A route for any name counts once: how many pools it will have is not known.
    private static func servers(_ settings: Settings, atMost limit: Int) -> Int {
        // Routes under one limit have no more than that together.
        var groups: [QuotaGroup: (limit: Int, sum: Int)] = [:]
        var sum = 0
        for route in settings.routes {
            let storage = settings.storages.first { $0.name == route.storage }
            if storage?.type == .local { continue }
            let pool = PoolSize(route, settings)
            let size = min(pool.size ?? limit, limit) + min(pool.reserve, limit)
            guard let shared = storage.flatMap({ QuotaLimit($0) }) ?? pool.limit else {
                sum = min(sum + size, limit)
                continue
            }
            groups[shared.group, default: (shared.limit, 0)].sum += size
        }
        return groups.values.reduce(sum) { min($0 + min($1.limit, $1.sum), limit) }
    }

    /// Whether a client may have this descriptor. The kernel gives out the lowest one that is free, so a high number says
    /// that all below it are in use.
    func hasRoom(for descriptor: Int32) -> Bool { Int(descriptor) < limit - reserve }

    /// What a worker may have of those that have not logged in.
    func logins(ofWorkers workers: Int) -> Int { max(1, (logins + workers - 1) / workers) }
}
