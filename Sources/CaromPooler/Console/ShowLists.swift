// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromDNS

/// How many there are of what.
struct ShowLists: ConsoleCommand {
    static let name = "SHOW LISTS"

    static func parse(_ words: [ConsoleWord]) -> ShowLists? {
        words.spell("show", "lists") ? ShowLists() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["list"]),
        (.integer, ["items"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let statistics = context.statistics
        let settings = context.snapshot.settings
        let users = Set(statistics.routes.map(\.user)).union(ShowUsers.configured(settings))
        let hosts = context.snapshot.dnsHosts
        return .table(
            [
                ("databases", Set(settings.routes.map(\.pattern.database)).count), ("users", users.count),
                ("peers", settings.peers.count), ("pools", statistics.routes.count),
                ("peer_pools", settings.peers.count), ("free_clients", 0),
                ("used_clients", statistics.clients.total - statistics.clients.login),
                ("login_clients", statistics.clients.login), ("free_servers", statistics.servers.idle),
                ("used_servers", statistics.servers.active), ("dns_names", settings.hostNames.count),
                ("dns_zones", 0), ("dns_queries", hosts.reduce(0) { $0 + $1.asked }),
                ("dns_pending", hosts.reduce(0) { $0 + $1.waiting }),
            ].map { [$0.0, "\($0.1)"] })
    }
}
