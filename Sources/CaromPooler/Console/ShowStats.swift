// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What each database has done, in all and in a second of the last period.
struct ShowStats: ConsoleCommand {
    static let name = "SHOW STATS"

    static func parse(_ words: [ConsoleWord]) -> ShowStats? {
        words.spell("show", "stats") ? ShowStats() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database"]),
        (
            .numeric,
            [
                "total_server_assignment_count", "total_xact_count", "total_query_count", "total_received",
                "total_sent", "total_xact_time", "total_query_time", "total_wait_time",
                "total_client_parse_count", "total_server_parse_count", "total_bind_count",
                "total_client_login_count", "avg_server_assignment_count", "avg_xact_count",
                "avg_query_count", "avg_recv", "avg_sent", "avg_xact_time", "avg_query_time", "avg_wait_time",
                "avg_client_parse_count", "avg_server_parse_count", "avg_bind_count",
                "avg_client_login_count",
            ]
        ))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let averages = ConsoleTotals.averages(context)
        return .table(
            ConsoleTotals.byDatabase(context.statistics).map {
                [$0.database] + $0.totals.cells + (averages[$0.database]?.cells ?? ConsoleTotals.noAverages)
            })
    }
}
