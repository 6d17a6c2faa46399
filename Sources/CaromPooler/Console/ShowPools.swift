// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// Each database and user with the clients and servers there.
struct ShowPools: ConsoleCommand {
    static let name = "SHOW POOLS"

    static func parse(_ words: [ConsoleWord]) -> ShowPools? {
        words.spell("show", "pools") ? ShowPools() : nil
    }

    static let columns = ConsoleColumn.table(
        (.text, ["database", "user"]),
        (
            .integer,
            [
                "cl_active", "cl_waiting", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active",
                "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login",
                "maxwait", "maxwait_us",
            ]
        ),
        (.text, ["pool_mode", "load_balance_hosts"]))

    let columns: [ConsoleColumn]? = Self.columns

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let statistics = context.statistics
        var rows = Self.groups(statistics.routes).map { Self.row($0) }
        for database in context.snapshot.consoleDatabases {
            rows.append(Self.consoleRow(database, clients: statistics.clients.console))
        }
        return .table(rows)
    }

    /// Several routes can lead to one database as one user, and no two rows may be about the same.
    static func groups(_ routes: [PoolerStatistics.Route]) -> [[PoolerStatistics.Route]] {
        Dictionary(grouping: routes) { [$0.database, $0.user] }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    }

    /// - Parameter routes: at least one.
    static func row(_ routes: [PoolerStatistics.Route]) -> [String?] {
        var clients = PoolerStatistics.Clients()
        for route in routes {
            clients.idle += route.clients.idle
            clients.waiting += route.clients.waiting
            clients.active += route.clients.active
        }
        let servers = PoolerStatistics.Servers(routes.flatMap(\.pool.backends))
        let wait = (routes.map(\.pool.oldestWait).max() ?? .zero).components
        let modes = Set(routes.map(\.mode.rawValue))
        let tested = servers.checking + servers.recycling + servers.acquiring
        // As PgBouncer has it, a client is active unless it waits. Nobody counts cancels that are under way.
        let numbers: [Int?] = [
            clients.active + clients.idle, clients.waiting, nil, nil, servers.active, nil, nil, servers.idle,
            0,
            tested, servers.connecting, Int(wait.seconds), Int(wait.attoseconds / 1_000_000_000_000),
        ]
        let mode = modes.count == 1 ? modes.first : nil
        return [routes[0].database, routes[0].user] + numbers.map { $0.map(String.init) } + [mode, nil]
    }

    /// The console has neither servers nor a queue, and no user of its own: readers make a label of it, for which PgBouncer has the
    /// name of its console, too.
    private static func consoleRow(_ database: String, clients: Int) -> [String?] {
        let numbers: [Int?] = [clients, 0, nil, nil, 0, nil, nil, 0, 0, 0, 0, 0, 0]
        return [database, database] + numbers.map { $0.map(String.init) } + [nil, nil]
    }
}
