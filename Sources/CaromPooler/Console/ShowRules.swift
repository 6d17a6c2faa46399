// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// `SHOW RULES`: the routes of the configuration, with Odyssey's columns, and behind them where the routes lead.
struct ShowRules: ConsoleCommand {
    static let name = "SHOW RULES"

    static func parse(_ words: [ConsoleWord]) -> ShowRules? {
        words.spell("show", "rules") ? ShowRules() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (
            .text,
            [
                "database", "user", "address", "connection_type", "obsolete", "authentication", "storage",
                "pool_mode",
            ]
        ), (.integer, ["clients"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let settings = context.snapshot.settings
        let live = Dictionary(grouping: context.statistics.routes, by: \.rule)
        return .table(
            settings.routes.map { route in
                let isConsole = settings.storage(of: route).type == .local
                let clients = (live["\(route.pattern)"] ?? []).reduce(0) { $0 + $1.clients.total }
                return [
                    // Routes are for all addresses, and those of another configuration are not shown.
                    "\(route.pattern.database)", "\(route.pattern.user)", nil, nil, "f",
                    route.authentication.rawValue,
                    route.storage, isConsole ? nil : route.pool.rawValue, isConsole ? nil : "\(clients)",
                ]
            })
    }
}
