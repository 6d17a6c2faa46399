// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What each database has done.
struct ShowStatsTotals: ConsoleCommand {
    static let name = "SHOW STATS_TOTALS"

    static func parse(_ words: [ConsoleWord]) -> ShowStatsTotals? {
        words.spell("show", "stats_totals") ? ShowStatsTotals() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database"]),
        (.numeric, ConsoleTotals.names))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(ConsoleTotals.byDatabase(context.statistics).map { [$0.database] + $0.totals.cells })
    }
}
