// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What the top of the configuration says, and what it would say if it said nothing; where the pooler runs by an ini file, by its keys.
struct ShowConfig: ConsoleCommand {
    static let name = "SHOW CONFIG"

    static func parse(_ words: [ConsoleWord]) -> ShowConfig? {
        words.spell("show", "config") ? ShowConfig() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["key", "value", "default", "changeable"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let snapshot = context.snapshot
        var entries = snapshot.settings.entries
        if let ini = snapshot.ini {
            entries = ini.entries + entries.filter { IniConfiguration.directives.contains($0.name) }
        }
        var rows = entries.map { entry in
            [entry.name, entry.value, entry.standard, entry.needsRestart ? "no" : "yes"]
        }
        if snapshot.ini == nil {
            // Where readers of PgBouncer's look for the limit; 0 is none.
            rows.append(["max_client_conn", "\(snapshot.settings.clientMax ?? 0)", "0", "yes"])
        }
        return .table(rows.sorted { ($0[0] ?? "") < ($1[0] ?? "") })
    }
}
