// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What all databases have done together.
struct ShowTotals: ConsoleCommand {
    static let name = "SHOW TOTALS"

    static func parse(_ words: [ConsoleWord]) -> ShowTotals? {
        words.spell("show", "totals") ? ShowTotals() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["name"]),
        (.numeric, ["value"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let totals = ConsoleTotals.byDatabase(context.statistics).map(\.totals).reduce(ConsoleTotals(), +)
        let averages = ConsoleTotals.lastPeriod(context).map { period in
            period.growth.values.reduce(ConsoleTotals(), +).averages(over: period.seconds)
        }
        return .table(
            zip(Self.names, totals.cells).map { ["total_\($0)", $1] }
                + zip(Self.names, averages?.cells ?? ConsoleTotals.noAverages).map { ["avg_\($0)", $1] })
    }

    private static let names = [
        "server_assignment_count", "xact_count", "query_count", "client_bytes", "server_bytes", "xact_time",
        "query_time", "wait_time", "ps_client_parse_count", "ps_server_parse_count", "ps_bind_count",
        "client_login_count",
    ]
}
