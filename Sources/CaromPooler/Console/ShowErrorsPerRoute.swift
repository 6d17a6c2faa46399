// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The errors of the last five minutes by database and user, those that there were; Odyssey's table.
struct ShowErrorsPerRoute: ConsoleCommand {
    static let name = "SHOW ERRORS_PER_ROUTE"

    static func parse(_ words: [ConsoleWord]) -> ShowErrorsPerRoute? {
        words.spell("show", "errors_per_route") ? ShowErrorsPerRoute() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["error_type", "user", "database"]), (.bigInteger, ["count"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let rows = context.errors.compactMap { entry, count in
            entry.place.map { [entry.error.rawValue, $0.user, $0.database, String(count)] }
        }
        return .table(rows.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
