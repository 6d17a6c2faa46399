// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// `SHOW LIMITS`: each limit of servers that routes share, and what they have of it.
struct ShowLimits: ConsoleCommand {
    static let name = "SHOW LIMITS"

    static func parse(_ words: [ConsoleWord]) -> ShowLimits? {
        words.spell("show", "limits") ? ShowLimits() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["kind", "name"]),
        (.integer, ["max_servers", "servers", "routes", "waiting_routes", "maxwait", "maxwait_us"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.statistics.limits.map { use in
                let wait = ConsoleTime.parts(use.oldestWait)
                return [
                    use.group.kind, use.group.name, "\(use.limit)", "\(use.held)", "\(use.pools)",
                    "\(use.waiting)", "\(wait.seconds)", "\(wait.microseconds)",
                ]
            })
    }
}
