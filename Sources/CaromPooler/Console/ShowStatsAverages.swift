// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What each database has done in a second of the last period.
struct ShowStatsAverages: ConsoleCommand {
    static let name = "SHOW STATS_AVERAGES"

    static func parse(_ words: [ConsoleWord]) -> ShowStatsAverages? {
        words.spell("show", "stats_averages") ? ShowStatsAverages() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database"]),
        (
            .numeric,
            [
                "server_assignment_count", "xact_count", "query_count", "bytes_received", "bytes_sent",
                "xact_time", "query_time", "wait_time", "avg_client_parse_count", "avg_server_parse_count",
                "avg_bind_count", "avg_client_login_count",
            ]
        ))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let averages = ConsoleTotals.averages(context)
        return .table(
            ConsoleTotals.byDatabase(context.statistics).map {
                [$0.database] + (averages[$0.database]?.cells ?? ConsoleTotals.noAverages)
            })
    }
}
