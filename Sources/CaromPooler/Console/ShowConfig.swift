// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What the top of the configuration says, and what it would say if it said nothing.
struct ShowConfig: ConsoleCommand {
    static let name = "SHOW CONFIG"

    static func parse(_ words: [ConsoleWord]) -> ShowConfig? {
        words.spell("show", "config") ? ShowConfig() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["key", "value", "default", "changeable"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let settings = context.snapshot.settings
        var rows = settings.entries.map { entry in
            [entry.name, entry.value, entry.standard, entry.needsRestart ? "no" : "yes"]
        }
        // Where readers of PgBouncer's look for the limit; 0 is none.
        rows.append(["max_client_conn", "\(settings.clientMax ?? 0)", "0", "yes"])
        return .table(rows.sorted { ($0[0] ?? "") < ($1[0] ?? "") })
    }
}
