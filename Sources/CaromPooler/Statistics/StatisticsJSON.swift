// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromStats
import FoundationEssentials

extension PoolerStatistics {
    /// The pools as every other process with pools shows them, in a stream for qtop and `carom top`.
    var frame: StatsFrame { StatsFrame(observedPools) }

    /// The pools for a server of statistics.
    var observedPools: [ObservedPool] { routes.map { route in ObservedPool { route.pool } } }

    /// The statistics as JSON, keys sorted: a message of the stream, and beside it what only a pooler has.
    var json: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(StatisticsDocument(self))
        } catch {
            preconditionFailure("statistics of numbers and texts cannot be written as JSON: \(error)")
        }
    }
}

/// The fields of the JSON document.
private struct StatisticsDocument: Encodable {
    private struct Pooler: Encodable {
        var version: String
        var startedAt: Int64
        var workers: Int
        var clients: [String: Int]
        var clientsByWorker: [Int]
        var servers: [String: Int]
        var routes: [Route]
        var limits: [Limit]
        var lostLogLines: Int
        var preparedStatements: [String: Int?]
        var refusedClients: [String: Int]
        var failedLogins: Int

        enum CodingKeys: String, CodingKey {
            case version, workers, clients, servers, routes, limits
            case startedAt = "started_at"
            case clientsByWorker = "clients_by_worker"
            case preparedStatements = "prepared_statements"
            case lostLogLines = "lost_log_lines"
            case refusedClients = "refused_clients"
            case failedLogins = "failed_logins"
        }
    }

    private struct Limit: Encodable {
        var kind: String
        var name: String
        var maxServers: Int
        var servers: Int
        var waitingRoutes: Int

        enum CodingKeys: String, CodingKey {
            case kind, name, servers
            case maxServers = "max_servers"
            case waitingRoutes = "waiting_routes"
        }
    }

    private struct Route: Encodable {
        var name: String
        var database: String
        var user: String
        var rule: String
        var mode: String
        var clients: [String: Int]
        var servers: [String: Int]
        var queries: Int
        var transactions: Int
        var receivedBytes: Int
        var sentBytes: Int
        var sessions: [String: Int]
        var pins: [String: Int]
        var resets: [String: Int]
        var parses: [String: Int]
        var durations: [String: Durations]

        enum CodingKeys: String, CodingKey {
            case name, database, user, rule, mode, clients, servers, queries, transactions
            case sessions, pins, resets, parses, durations
            case receivedBytes = "received_bytes"
            case sentBytes = "sent_bytes"
        }
    }

    private struct Durations: Encodable {
        var seconds: Double
        /// How many of each length there were, as ``DurationHistogram/bounds`` tells them apart.
        var counts: [UInt64]

        init(_ histogram: DurationHistogram) {
            seconds = Double(histogram.nanoseconds) / 1e9
            counts = histogram.counts
        }
    }

    private enum CodingKeys: String, CodingKey { case pooler }

    private let frame: StatsFrame
    private let pooler: Pooler

    init(_ statistics: PoolerStatistics) {
        frame = statistics.frame
        pooler = Pooler(
            version: statistics.process.version, startedAt: statistics.process.startedAt,
            workers: statistics.process.workers, clients: Self.counts(statistics.clients.byState),
            clientsByWorker: statistics.clientsByWorker,
            servers: Self.counts(statistics.servers.byState),
            routes: statistics.routes.map { route in
                Route(
                    name: route.name, database: route.database, user: route.user, rule: route.rule,
                    mode: route.mode.rawValue, clients: Self.counts(route.clients.byState),
                    servers: Self.counts(route.servers.byState), queries: route.counters.queries,
                    transactions: route.counters.transactions, receivedBytes: route.counters.received,
                    sentBytes: route.counters.sent, sessions: Self.sessions(of: route),
                    pins: Self.counts(
                        SessionEvent.pins.map { ($0.name, route.counters[$0.event]) }),
                    resets: Self.counts(
                        SessionEvent.resets.map { ($0.name, route.counters[$0.event]) }),
                    parses: Self.counts(
                        SessionEvent.parses.map { ($0.name, route.counters[$0.event]) }),
                    durations: [
                        "query": Durations(route.counters.queryTimes),
                        "transaction": Durations(route.counters.transactionTimes),
                        "wait": Durations(route.pool.totals.waits),
                        "connect": Durations(route.pool.totals.connectTimes),
                    ])
            },
            limits: statistics.limits.map { use in
                Limit(
                    kind: use.group.kind, name: use.group.name, maxServers: use.limit, servers: use.held,
                    waitingRoutes: use.waiting)
            }, lostLogLines: statistics.lostLogLines,
            preparedStatements: [
                "bytes": statistics.statementMemory.bytes, "limit_bytes": statistics.statementMemory.limit,
            ],
            refusedClients: [
                "descriptors": statistics.refusals.descriptors, "logins": statistics.refusals.logins,
                "login_timeouts": statistics.refusals.lateLogins,
                "failed_logins": statistics.refusals.afterFailures,
            ], failedLogins: statistics.refusals.failedLogins)
    }

    private static func sessions(of route: PoolerStatistics.Route) -> [String: Int] {
        [
            "looks": route.counters[.look], "carried_settings": route.counters[.settings],
            "failed_resets": route.counters[.failedReset], "reused_statements": route.counters[.reuse],
            "binds": route.counters[.bind], "evicted_statements": route.counters[.eviction],
            "refused_parses": route.counters[.refusal],
            "statements": route.statements.count, "statement_text_bytes": route.statements.bytes,
        ]
    }

    private static func counts(_ states: [(state: String, count: Int)]) -> [String: Int] {
        Dictionary(uniqueKeysWithValues: states.map { ($0.state, $0.count) })
    }

    func encode(to encoder: any Encoder) throws {
        try frame.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(pooler, forKey: .pooler)
    }
}
