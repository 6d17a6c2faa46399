// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The routes of clients for replication: each has one of its own, with a pool of one server that nobody else uses.
final class ReplicationRoutes: Sendable {
    private let routes = Mutex<[ObjectIdentifier: Route]>([:])

    var all: [Route] { routes.withLock { Array($0.values) } }

    func add(_ route: Route) { routes.withLock { $0[ObjectIdentifier(route)] = route } }

    /// Whether it was one of them.
    func remove(_ route: Route) -> Bool {
        routes.withLock { $0.removeValue(forKey: ObjectIdentifier(route)) } != nil
    }
}
