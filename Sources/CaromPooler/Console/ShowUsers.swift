// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// Each user, as servers know it, and those of the configuration that nobody has come as yet.
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
        let live = Dictionary(grouping: statistics.routes, by: \.user)
        let names = Set(live.keys).union(Self.configured(context.snapshot.settings))
        return .table(
            names.sorted().map { name in
                let routes = live[name] ?? []
                // Limits are those of routes, not of users.
                return [
                    name, nil, nil, nil, "0", "\(routes.reduce(0) { $0 + $1.pool.slots })", "0",
                    "\(routes.reduce(0) { $0 + $1.clients.total })",
                ]
            })
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
