// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// Each user that clients came as or servers know, and those of the configuration that nobody has come as yet. Servers are counted
/// by the user they were logged in to as, clients by the one they gave.
struct ShowUsers: ConsoleCommand {
    static let name = "SHOW USERS"

    static func parse(_ words: [ConsoleWord]) -> ShowUsers? {
        words.spell("show", "users") ? ShowUsers() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["name", "pool_size", "reserve_pool_size", "pool_mode"]),
        (
            .integer,
            [
                "max_user_connections", "current_connections", "max_user_client_connections",
                "current_client_connections",
            ]
        ))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let statistics = context.statistics
        let settings = context.snapshot.settings
        let live = Dictionary(grouping: statistics.routes, by: \.user)
        let names = Set(live.keys).union(Self.configured(settings)).union(statistics.clientsByUser.keys)
        return .table(
            names.sorted().map { name in
                let routes = live[name] ?? []
                let clientLimit = Self.clientLimit(name, settings)
                return [
                    name, nil, nil, nil, "\(Self.serverLimit(name, settings) ?? 0)",
                    "\(routes.reduce(0) { $0 + $1.pool.slots })",
                    "\(clientLimit ?? 0)", "\(statistics.clientsByUser[name] ?? 0)",
                ]
            })
    }

    /// The lowest limit of the routes that a user may come by.
    private static func clientLimit(_ name: String, _ settings: Settings) -> Int? {
        let own = settings.routes.filter { $0.pattern.user == .exact(name) }
        let routes = own.isEmpty ? settings.routes.filter { $0.pattern.user == .anything } : own
        if routes.isEmpty { return settings.maxUserClients }
        return routes.compactMap { ClientLimits($0, settings).user }.min()
    }

    /// The lowest limit of the routes whose servers are logged in to as this user.
    private static func serverLimit(_ name: String, _ settings: Settings) -> Int? {
        func isOwn(_ route: RouteSettings) -> Bool {
            route.storageUser == name || route.storageUser == nil && route.pattern.user == .exact(name)
        }
        let own = settings.routes.filter(isOwn)
        let any = settings.routes.filter { $0.storageUser == nil && $0.pattern.user == .anything }
        let routes = own.isEmpty ? any : own
        if routes.isEmpty { return settings.maxUserServers }
        return routes.compactMap { ServerLimits($0, settings).user }.min()
    }

    /// The users that the configuration names.
    static func configured(_ settings: Settings) -> Set<String> {
        Set(
            settings.routes.compactMap { route in
                if case .exact(let name) = route.pattern.user {
                    route.storageUser ?? name
                } else {
                    route.storageUser
                }
            })
    }
}
