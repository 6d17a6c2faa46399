// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Whether the pooler works, or everything is paused or suspended.
struct ShowState: ConsoleCommand {
    static let name = "SHOW STATE"

    static func parse(_ words: [ConsoleWord]) -> ShowState? {
        words.spell("show", "state") ? ShowState() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["key", "value"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let (isPaused, isSuspended) = (context.switches.arePaused, context.switches.isSuspended)
        return .table([
            ["active", isPaused || isSuspended ? "no" : "yes"], ["paused", isPaused ? "yes" : "no"],
            ["suspended", isSuspended ? "yes" : "no"],
        ])
    }
}
