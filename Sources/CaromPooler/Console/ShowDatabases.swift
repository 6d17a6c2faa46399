// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// Each route of the configuration, and what is there of it.
struct ShowDatabases: ConsoleCommand {
    static let name = "SHOW DATABASES"

    static func parse(_ words: [ConsoleWord]) -> ShowDatabases? {
        words.spell("show", "databases") ? ShowDatabases() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["name", "host"]),
        (.integer, ["port"]),
        (.text, ["database", "force_user"]),
        (.integer, ["pool_size", "min_pool_size", "reserve_pool_size", "server_lifetime"]),
        (.text, ["pool_mode", "load_balance_hosts"]),
        (
            .integer,
            [
                "max_connections", "current_connections", "max_client_connections",
                "current_client_connections", "paused", "disabled",
            ]
        ))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let live = Dictionary(grouping: context.statistics.routes, by: \.rule)
        let settings = context.snapshot.settings
        let switches = context.switches
        // Rows that nothing but numbers would tell apart are one: readers take the rest for its name.
        var rows: [[String?]: Entry] = [:]
        for route in settings.routes.map({ $0.inheriting(settings) }) {
            let entry = Entry(
                route, settings, live["\(route.pattern)"] ?? [], switches)
            rows[entry.labels] = rows[entry.labels].map { $0 + entry } ?? entry
        }
        let order = rows.values.sorted { $0.order < $1.order }
        return .table(order.map(\.row))
    }

    /// A row before it is one.
    private struct Entry {
        let labels: [String?]
        private var poolSize: Int
        private var minPoolSize: Int
        private var reserve: Int
        private let lifetime: Int?
        private var servers: Int
        /// Of the whole database.
        private var serverLimit: Int?
        /// Of the routes one by one.
        private var clientMax: Int
        /// Of the whole database.
        private var clientLimit: Int?
        private var clients: Int
        private var isPaused: Bool
        private let isDisabled: Bool

        init(
            _ route: RouteSettings, _ settings: Settings, _ live: [PoolerStatistics.Route],
            _ switches: DatabaseSwitches
        ) {
            let storage = settings.storage(of: route)
            let isConsole = storage.type == .local
            let name = if case .exact(let name) = route.pattern.database { name } else { "*" }
            let place = isConsole ? nil : Self.place(storage)
            labels = [
                name, place?.host, place?.port, isConsole ? name : route.storageDatabase, route.storageUser,
                isConsole ? nil : route.pool.rawValue,
            ]
            let size = PoolSize(route, settings)
            poolSize = size.size ?? 0
            serverLimit = isConsole ? nil : ServerLimits(route, settings).database
            minPoolSize = route.minPoolSize
            reserve = isConsole ? 0 : size.reserve
            lifetime =
                isConsole
                ? nil : (route.limits.serverLifetime?.duration).map { Int($0.components.seconds) } ?? 0
            servers = live.reduce(0) { $0 + $1.pool.slots }
            clientMax = route.clientMax ?? 0
            clientLimit = isConsole ? nil : ClientLimits(route, settings).database
            clients = live.reduce(0) { $0 + $1.clients.total }
            // Of databases that have no name of their own some can be paused and others not.
            isPaused =
                !isConsole
                && (switches.isPaused(name)
                    || (!live.isEmpty && live.allSatisfy { $0.pool.state == .suspended }))
            isDisabled = switches.isDisabled(name)
        }

        /// Where the servers are, if that is one place.
        private static func place(_ storage: StorageSettings) -> (host: String?, port: String?) {
            guard case .hosts(let hosts) = storage.backends else { return (nil, nil) }
            let ports = Set(hosts.map { storage.port(of: $0) })
            let names = hosts.map { host in
                switch host.location {
                case .address(let text), .name(let text), .unixDirectory(let text): text
                }
            }
            return (names.joined(separator: ","), ports.count == 1 ? ports.first.map(String.init) : nil)
        }

        /// No limit together with one is none.
        private static func sum(_ one: Int, _ other: Int) -> Int { one == 0 || other == 0 ? 0 : one + other }

        static func + (left: Entry, right: Entry) -> Entry {
            var sum = left
            sum.poolSize = Self.sum(left.poolSize, right.poolSize)
            sum.minPoolSize += right.minPoolSize
            sum.reserve += right.reserve
            sum.servers += right.servers
            sum.serverLimit = [left.serverLimit, right.serverLimit].compactMap { $0 }.min()
            sum.clientMax = Self.sum(left.clientMax, right.clientMax)
            sum.clientLimit = [left.clientLimit, right.clientLimit].compactMap { $0 }.min()
            sum.clients += right.clients
            sum.isPaused = left.isPaused && right.isPaused
            return sum
        }

        var order: String { labels.map { $0 ?? "" }.joined(separator: "\0") }

        var row: [String?] {
            let sizes: [Int?] = [poolSize, minPoolSize, reserve, lifetime]
            let counts = [
                serverLimit ?? poolSize, servers, clientLimit ?? clientMax, clients, isPaused ? 1 : 0,
                isDisabled ? 1 : 0,
            ]
            return labels[..<5] + sizes.map { $0.map(String.init) } + [labels[5], nil]
                + counts.map(String.init)
        }
    }
}
