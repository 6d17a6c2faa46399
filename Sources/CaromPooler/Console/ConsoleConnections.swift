// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromReactor
import CaromTCP

/// Who is connected on either side, put together from what workers and pools say one after the other.
struct ConsoleConnections: Sendable {
    /// In the order of their numbers; those that have not logged in are among them.
    private(set) var clients: [ConsoleSocket] = []
    /// By database, user and age.
    private(set) var servers: [ConsoleSocket] = []
    /// By route, and in the order in which they came.
    private(set) var waiters: [ConsoleWaiter] = []

    /// - Parameters:
    ///   - found: the clients of all workers.
    ///   - routes: all live routes.
    init(_ found: [ConsoleClient], _ routes: [Route]) {
        let found = found.sorted { $0.id < $1.id }
        let routes = routes.sorted { ($0.key.database, $0.key.user) < ($1.key.database, $1.key.user) }
        let holders = Dictionary(
            found.compactMap { client in client.report?.server.map { ($0.connection.id, client) } },
            uniquingKeysWith: { first, _ in first })
        let waiting = Dictionary(grouping: found.filter { $0.report?.waiter != nil }) { client in
            client.report.map { ObjectIdentifier($0.route.pool) }
        }
        for route in routes {
            servers += Self.servers(of: route, holders)
            waiters += Self.waiters(of: route, waiting[ObjectIdentifier(route.pool)] ?? [])
        }
        let waited = Dictionary(waiters.map { ($0.client.owner, $0.waited) }, uniquingKeysWith: max)
        clients = found.map { $0.socket(wait: waited[$0.owner] ?? .zero) }
    }

    private static func waiters(of route: Route, _ clients: [ConsoleClient]) -> [ConsoleWaiter] {
        if clients.isEmpty { return [] }
        let (stats, obstacles) = (route.pool.stats, route.pool.obstacles)
        let queue = route.pool.waiters.sorted { $0.waited > $1.waited }
        let places = Dictionary(
            queue.enumerated().map { ($1.id, (place: $0 + 1, report: $1)) },
            uniquingKeysWith: { first, _ in first }
        )
        return clients.compactMap { client in
            guard let found = client.report?.waiter.flatMap({ places[$0] }) else { return nil }
            return ConsoleWaiter(client, route, found.report, place: found.place, stats, obstacles)
        }.sorted { $0.place < $1.place }
    }

    private static func servers(of route: Route, _ holders: [ConnectionID: ConsoleClient]) -> [ConsoleSocket]
    {
        let (now, clock) = (Deadline.now, LogTime.now().seconds)
        return route.pool.connections.map { found in
            var socket = ConsoleSocket(side: .server, state: state(found.state))
            socket.user = route.key.user
            socket.database = route.key.database
            socket.replication = route.definition.replication
            switch found.backend.address {
            case .ip(let host, let port): (socket.host, socket.port) = (host, Int(port))
            case .unix(let path): socket.host = path
            }
            socket.closesSoon = found.isLeaving
            guard let connection = found.connection else { return socket }
            socket.facts = connection.facts
            socket.connectedAt = clock - connection.greetedAt.duration(to: now).components.seconds
            socket.name = "\(connection.id)"
            socket.remoteProcess = Int(exactly: Int32(bitPattern: connection.processID))
            // What a server has in its session is known to its holder alone.
            guard let holder = holders[connection.id], let server = holder.report?.server else {
                return socket
            }
            socket.link = ("\(holder.name)", holder.facts?.descriptor)
            socket.statements = server.statements
            socket.waitingBytes = (0, server.waitingBytes)
            return socket
        }.sorted { ($0.connectedAt ?? .max) < ($1.connectedAt ?? .max) }
    }

    private static func state(_ state: ConnectionState) -> String {
        switch state {
        case .connecting: "new"
        case .idle: "idle"
        case .claimed: "active"
        case .tended: "tested"
        }
    }
}

/// A client that waits for a server.
struct ConsoleWaiter: Sendable {
    let client: ConsoleClient
    let route: String
    let waited: Duration
    /// In the queue of its pool, from 1 on.
    let place: Int
    /// What it waits for, in words.
    let reason: String

    init(
        _ client: ConsoleClient, _ route: Route, _ report: WaiterReport, place: Int, _ stats: PoolStats,
        _ obstacles: [QuotaLimit]
    ) {
        self.client = client
        self.route = route.name
        waited = report.waited
        self.place = place
        reason = Self.reason(report, stats, obstacles)
    }

    /// - Parameter obstacles: limits that the route shares with others and that are reached.
    static func reason(
        _ report: WaiterReport, _ stats: PoolStats, _ obstacles: [QuotaLimit] = []
    ) -> String {
        if stats.state == .suspended { return "the pool is paused" }
        if report.isBeingServed { return "a server is being prepared for it" }
        if stats.backends.isEmpty { return "no backend is known" }
        if stats.slots >= stats.maxSlots, stats.claimed == stats.slots {
            return "all \(stats.slots) servers are in use"
        }
        if let limit = obstacles.first { return "all \(limit.limit) that \(limit.group) may have are in use" }
        if stats.connecting > 0 { return "\(stats.connecting) servers are being connected to" }
        if let error = stats.backends.compactMap(\.lastError).first, stats.claimed + stats.idle == 0 {
            return "no server can be connected to: \(error)"
        }
        return "\(stats.claimed) of \(stats.slots) servers are in use"
    }
}
