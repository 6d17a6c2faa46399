// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

@testable import Carom
@testable import CaromPooler

/// Readings of a pooler that never ran, for tests of what is made of them.
enum Sample {
    static let first = Backend(name: "db1", address: .ip("10.0.0.1", port: 5432))
    static let second = Backend(name: "db2", address: .ip("fd00::2", port: 5433))

    /// A backend with a different number of connections in each state.
    static func backend(_ backend: Backend, state: PoolStats.BackendState = .online) -> PoolStats.BackendStats
    {
        PoolStats.BackendStats(
            backend: backend, state: state, wanted: 30, connecting: 1, idle: 2, acquiring: 3, claimed: 4,
            checking: 5, recycling: 6, closing: 7, totalClaims: 8, totalConnects: 9, failedConnects: 10,
            authenticationFailures: 11, score: 12, lastError: "it \"broke\"",
            attributes: ["role": "standby", "access": "read-only"], isOverruled: true,
            heldBack: "lags")
    }

    static func pool(
        _ name: String, _ backends: [PoolStats.BackendStats] = [], waiting: Int = 0
    ) -> PoolStats {
        var totals = PoolStats.Totals()
        totals.claims = 100
        totals.waitNanoseconds = 1_500_000_000
        totals.waits.add(nanoseconds: 1_500_000_000)
        totals.connectTimes.add(nanoseconds: 2_000_000)
        return PoolStats(
            name: name, state: .running, backends: backends, waiting: waiting, mostWaiting: 14,
            oldestWait: .milliseconds(250), slots: 28, maxSlots: 64, planned: 20, totals: totals)
    }

    static func route(
        _ database: String, _ user: String, rule: String? = nil, clients: Int = 10,
        counters: [Counters.Values] = [], statements: (count: Int, bytes: Int) = (0, 0),
        _ pool: PoolStats? = nil
    ) -> StatisticsReadings.Route {
        let name = "\(database).\(user)"
        return StatisticsReadings.Route(
            database: database, user: user, rule: rule ?? name, mode: .transaction, clients: clients,
            counters: counters, statements: statements, pool: pool ?? self.pool(name),
            lags: [first.id: .milliseconds(2_500)])
    }

    static func statistics(
        _ routes: [StatisticsReadings.Route], clients: [Int] = [20, 5], consoleClients: Int = 0,
        limits: [QuotaUse] = [], at seconds: Int = 0
    ) -> PoolerStatistics {
        PoolerStatistics(
            StatisticsReadings(
                takenAt: .seconds(seconds),
                process: .init(version: "9.8.7", startedAt: 1_700_000_000, workers: clients.count),
                clients: clients, consoleClients: consoleClients, clientsByUser: ["app": 30, "guest": 1],
                routes: routes, limits: limits, lostLogLines: 17, statementMemory: (73, 74),
                bufferMemory: (75, 76),
                refusals: .init(
                    descriptors: 18, logins: 19, lateLogins: 20, afterFailures: 21, failedLogins: 22)))
    }

    /// A pooler's console.
    ///
    /// - Parameters:
    ///   - before: the statistics of a second ago; nil if there are none yet.
    ///   - routes: what the configuration has beside the console.
    static func console(
        _ statistics: PoolerStatistics = statistics([], clients: [0]), before: PoolerStatistics? = nil,
        routes: String = ""
    ) -> ConsoleContext {
        let text = """
            listen { host "*" }
            storage "console" { type "local" }
            storage "pg" { type "remote" host "10.0.0.1" port 5433 }
            database "console" { user "admin" { authentication "none" storage "console" } }
            \(routes)
            """
        do {
            let settings = try ConfigurationFile.parse(text: text).settings
            let log = PoolerLog(settings, writer: try LogWriter(descriptors: []))
            let snapshot = try Snapshot(settings, previous: nil, log: log)
            return ConsoleContext(
                version: "9.8.7", statistics: { statistics },
                period: { before.map { ($0, statistics) } }, snapshot: { snapshot },
                jobs: { job, _ in preconditionFailure("\(job) has nobody to do it") })
        } catch {
            preconditionFailure("the sample is no configuration: \(error)")
        }
    }
}
