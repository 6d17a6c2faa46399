// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// `SHOW POOLS` with the bytes of clients and the connections to servers, and a row for all of them; Odyssey's table.
struct ShowPoolsExtended: ConsoleCommand {
    static let name = "SHOW POOLS_EXTENDED"

    static func parse(_ words: [ConsoleWord]) -> ShowPoolsExtended? {
        words.spell("show", "pools_extended") ? ShowPoolsExtended() : nil
    }

    let columns: [ConsoleColumn]? =
        ShowPools.columns
        + ConsoleColumn.table(
            (.bigInteger, ["bytes_received", "bytes_sent", "tcp_conn_count"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let routes = context.statistics.routes
        var rows = ShowPools.groups(routes).map { ShowPools.row($0) + Self.more($0) }
        if !routes.isEmpty {
            var all = ShowPools.row(routes)
            all.replaceSubrange(0..<2, with: ["aggregated", "aggregated"])
            rows.append(all + Self.more(routes))
        }
        return .table(rows)
    }

    private static func more(_ routes: [PoolerStatistics.Route]) -> [String?] {
        [
            routes.reduce(0) { $0 + $1.counters.received }, routes.reduce(0) { $0 + $1.counters.sent },
            routes.reduce(0) { $0 + $1.servers.total },
        ].map { String($0) }
    }
}
