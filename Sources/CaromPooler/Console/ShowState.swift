// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Whether the pooler works.
struct ShowState: ConsoleCommand {
    static let name = "SHOW STATE"

    static func parse(_ words: [ConsoleWord]) -> ShowState? {
        words.spell("show", "state") ? ShowState() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["key", "value"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let pools = context.statistics.routes.map(\.pool.state)
        let isPaused = !pools.isEmpty && pools.allSatisfy { $0 == .suspended }
        return .table([
            ["active", isPaused ? "no" : "yes"], ["paused", isPaused ? "yes" : "no"], ["suspended", "no"],
        ])
    }
}
