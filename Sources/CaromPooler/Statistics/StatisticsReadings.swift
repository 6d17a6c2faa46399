// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// The numbers of a running pooler as they were read, one after the other, before they are put in order.
struct StatisticsReadings {
    /// Those of one route.
    struct Route {
        var database: String
        var user: String
        /// The route of the configuration, `database.user`.
        var rule: String
        var mode: PoolingMode
        /// Clients that have logged in.
        var clients: Int
        /// One for each worker.
        var counters: [Counters.Values]
        /// Prepared statements, and the bytes of their texts.
        var statements = (count: 0, bytes: 0)
        var pool: PoolStats
        /// How far its servers lag, where that is known.
        var lags: [BackendID: Duration] = [:]
        /// What its clients listen to while their servers are pooled.
        var channels = ChannelHub.Report()
    }

    var takenAt: Duration
    var process: PoolerStatistics.Process
    /// One for each worker.
    var clients: [Int]
    /// Clients at the console.
    var consoleClients: Int
    /// Clients of servers, by user.
    var clientsByUser: [String: Int] = [:]
    var routes: [Route]
    /// Limits of servers that routes share.
    var limits: [QuotaUse] = []
    /// Lines of the log that were lost since the start.
    var lostLogLines = 0
    var statementMemory: (bytes: Int, limit: Int?) = (0, nil)
    /// What waits in buffers, and what may.
    var bufferMemory: (bytes: Int, limit: Int?) = (0, nil)
    var refusals = PoolerStatistics.Refusals()
}

extension PoolerStatistics {
    /// Puts readings in order.
    ///
    /// They were taken one after the other while the pooler went on, so where two cannot both be true, the smaller one
    /// counts: no state has a negative number of clients.
    init(_ readings: StatisticsReadings) {
        takenAt = readings.takenAt
        process = readings.process
        lostLogLines = readings.lostLogLines
        statementMemory = readings.statementMemory
        bufferMemory = readings.bufferMemory
        refusals = readings.refusals
        clientsByWorker = readings.clients
        clientsByUser = readings.clientsByUser
        limits = readings.limits.sorted {
            ($0.group.kind, $0.group.name) < ($1.group.kind, $1.group.name)
        }
        let sorted = readings.routes.sorted {
            ($0.database, $0.user, $0.rule) < ($1.database, $1.user, $1.rule)
        }
        let names = Dictionary(sorted.map { ($0.pool.name, 1) }, uniquingKeysWith: +)
        routes = sorted.map { Route($0, isAlone: names[$0.pool.name] == 1) }
        var sums = Clients()
        for route in routes {
            sums.idle += route.clients.idle
            sums.waiting += route.clients.waiting
            sums.active += route.clients.active
        }
        sums.console = readings.consoleClients
        sums.login = max(0, readings.clients.reduce(0, +) - sums.total)
        clients = sums
    }
}

extension PoolerStatistics.Route {
    /// - Parameter isAlone: no other pool has its name.
    fileprivate init(_ reading: StatisticsReadings.Route, isAlone: Bool) {
        var pool = reading.pool
        if !isAlone { pool.name += " (\(reading.rule))" }
        var clients = PoolerStatistics.Clients()
        // A server is acquired for a client that still waits for it.
        let held = pool.backends.reduce(0) { $0 + $1.claimed }
        let awaited = pool.waiting + pool.backends.reduce(0) { $0 + $1.acquiring }
        clients.active = min(held, reading.clients)
        clients.waiting = min(awaited, reading.clients - clients.active)
        clients.idle = reading.clients - clients.active - clients.waiting
        self.init(
            database: reading.database, user: reading.user, rule: reading.rule, mode: reading.mode,
            clients: clients, counters: reading.counters.reduce(Counters.Values(), +),
            statements: reading.statements, pool: pool, lags: reading.lags,
            channels: reading.channels)
    }
}
