// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// `SHOW ROUTES`: what each live route has done for its clients beside serving them.
struct ShowRoutes: ConsoleCommand {
    static let name = "SHOW ROUTES"

    static func parse(_ words: [ConsoleWord]) -> ShowRoutes? {
        words.spell("show", "routes") ? ShowRoutes() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database", "user", "route", "pool_mode"]), (.integer, ["clients"]),
        (.bigInteger, ["logins", "retries", "wait_notices", "timeouts", "refused_transactions"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.statistics.routes.map { route in
                let timeouts = SessionEvent.timeouts.reduce(0) { $0 + route.counters[$1.event] }
                let numbers = [
                    route.clients.total, route.counters[.login], route.counters[.retry],
                    route.counters[.waitNotice], timeouts, route.counters[.refusedTransaction],
                ]
                return [route.database, route.user, route.rule, route.mode.rawValue]
                    + numbers.map { "\($0)" }
            })
    }
}
