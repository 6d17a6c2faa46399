// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// `SHOW RESOLVERS`: each server of each resolver, how it was learnt, and what the pools of all routes have of it.
struct ShowResolvers: ConsoleCommand {
    static let name = "SHOW RESOLVERS"

    static func parse(_ words: [ConsoleWord]) -> ShowResolvers? {
        words.spell("show", "resolvers") ? ShowResolvers() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["resolver", "type", "name", "addr", "state"]),
        (.bigInteger, ["since", "ttl"]),
        (
            .integer,
            ["priority", "weight", "sv_active", "sv_idle", "sv_tested", "sv_login", "sv_closing"]
        ),
        (.bigInteger, ["claims", "connects", "failed_connects"]),
        (.text, ["last_error", "source"]),
        (.integer, ["failures"]), (.text, ["trouble"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let routes = context.statistics.routes
        let settings = context.snapshot.settings
        let rules = Dictionary(
            settings.routes.map { ("\($0.pattern)", settings.resolvers(of: settings.storage(of: $0))) },
            uniquingKeysWith: { first, _ in first })
        let rows = context.snapshot.resolvers.all.flatMap { resolver in
            let own = routes.filter { rules[$0.rule]?.contains(resolver.settings) == true }
            // What is left in pools of servers that are gone is told where the storage points to.
            let rooted = own.filter { rules[$0.rule]?.first == resolver.settings }
            return Self.rows(
                resolver.report, own.flatMap(\.pool.backends),
                gone: rooted.flatMap(\.pool.backends).filter { $0.state == .draining })
        }
        return .table(rows)
    }

    /// - Parameters:
    ///   - pools: backends of all pools that the resolver is for.
    ///   - gone: those that pools have still connections to.
    static func rows(
        _ report: ResolverReport, _ pools: [PoolStats.BackendStats], gone: [PoolStats.BackendStats]
    ) -> [[String?]] {
        let head = [report.title, report.type.rawValue]
        let tail = ["\(report.failures)", report.trouble]
        let byID = Dictionary(grouping: pools, by: \.backend.id)
        var rows = (report.servers ?? []).map { server -> [String?] in
            let found = byID[server.backend.id] ?? []
            let times = [server.age, server.timeLeft].map { $0.map { "\($0.components.seconds)" } }
            return head + label(server.backend, server.isDrained ? "drained" : state(found)) + times
                + numbers(server.backend, found) + [server.source] + tail
        }
        let known = Set((report.servers ?? []).map(\.backend.id))
        let left = Dictionary(grouping: gone.filter { !known.contains($0.backend.id) }, by: \.backend.id)
        for backends in left.values.sorted(by: { $0[0].backend.name < $1[0].backend.name }) {
            let backend = backends[0].backend
            rows.append(
                head + label(backend, "gone") + [nil, nil] + numbers(backend, backends) + [nil] + tail)
        }
        // A resolver without servers has a row, for what is wrong with it.
        if rows.isEmpty { rows.append(head + Array(repeating: nil, count: 17) + tail) }
        return rows
    }

    private static func label(_ backend: Backend, _ state: String) -> [String?] {
        [backend.name, backend.address.description, state]
    }

    /// The best that a pool thinks of it; `unused` if none has it.
    private static func state(_ found: [PoolStats.BackendStats]) -> String {
        let order: [PoolStats.BackendState] = [.online, .suspect, .dead, .fresh]
        let states = Set(found.map(\.state))
        return order.first { states.contains($0) }?.rawValue ?? "unused"
    }

    private static func numbers(_ backend: Backend, _ found: [PoolStats.BackendStats]) -> [String?] {
        func sum(_ count: (PoolStats.BackendStats) -> Int) -> String {
            "\(found.reduce(0) { $0 + count($1) })"
        }
        func total(_ count: (PoolStats.BackendStats) -> UInt64) -> String {
            "\(found.reduce(0) { $0 + count($1) })"
        }
        return [
            "\(backend.priority)", "\(backend.weight)", sum(\.claimed), sum(\.idle),
            sum { $0.acquiring + $0.checking + $0.recycling }, sum(\.connecting), sum(\.closing),
            total(\.totalClaims), total(\.totalConnects), total(\.failedConnects),
            found.compactMap(\.lastError).first,
        ]
    }
}
