// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Whether the pooler works, or everything is paused.
struct ShowState: ConsoleCommand {
    static let name = "SHOW STATE"

    static func parse(_ words: [ConsoleWord]) -> ShowState? {
        words.spell("show", "state") ? ShowState() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["key", "value"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let isPaused = context.switches.arePaused
        return .table([
            ["active", isPaused ? "no" : "yes"], ["paused", isPaused ? "yes" : "no"], ["suspended", "no"],
        ])
    }
}
