// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromTCP
import Glibc

/// Reads the numbers of the running pooler. Cheap for those who write them: nothing is stopped, no worker is asked; each
/// pool's lock is held once, for a moment.
final class StatisticsCollector: Sendable {
    private let process: PoolerStatistics.Process
    private let router: Router
    private let current: CurrentSnapshot
    private let presences: [ClientPresence]
    private let refusals: RefusalCount
    private let failures: LoginFailures
    private let statementMemory: StatementMemory
    private let log: PoolerLog

    /// - Parameter presences: one for each worker.
    init(
        router: Router, current: CurrentSnapshot, presences: [ClientPresence], refusals: RefusalCount,
        failures: LoginFailures, statementMemory: StatementMemory, log: PoolerLog
    ) {
        self.failures = failures
        self.refusals = refusals
        self.log = log
        self.statementMemory = statementMemory
        self.router = router
        self.current = current
        self.presences = presences
        process = PoolerStatistics.Process(startedAt: Int64(time(nil)), workers: presences.count)
    }

    /// The pooler at this moment, from any thread. O(routes and backends).
    var statistics: PoolerStatistics {
        let dedicated = Dictionary(grouping: router.dedicated, by: \.key)
        return PoolerStatistics(
            StatisticsReadings(
                takenAt: .nanoseconds(SystemPoolClock().now.nanoseconds), process: process,
                clients: presences.map(\.count), consoleClients: current.value.consoleClients,
                clientsByUser: router.census.users,
                routes: router.all.map {
                    .init($0, dedicated[$0.key] ?? [], router.lags.known(of: $0.settings.storage))
                },
                limits: router.quota.uses(SystemPoolClock()), lostLogLines: log.lostLines,
                statementMemory: (statementMemory.bytes, statementMemory.limit),
                bufferMemory: (BufferMemory.bytes, BufferMemory.limit),
                refusals: PoolerStatistics.Refusals(
                    descriptors: refusals.count,
                    logins: presences.reduce(0) { $0 + $1.displacedCount },
                    lateLogins: presences.reduce(0) { $0 + $1.lateCount },
                    afterFailures: failures.refusedCount, failedLogins: failures.failedCount)))
    }
}

extension StatisticsReadings.Route {
    /// - Parameter dedicated: of its clients for replication.
    init(_ route: Route, _ dedicated: [Route], _ lags: [BackendID: Duration]) {
        // Servers are reset by the clients that come, on their workers, and by the connector when a client has left.
        var cleaning = Counters.Values()
        cleaning[.softReset] = route.connector.resets.soft
        cleaning[.fullReset] = route.connector.resets.full
        cleaning[.failedReset] = route.connector.resets.failed
        self.init(
            database: route.key.database, user: route.key.user, rule: route.key.pattern.description,
            mode: route.settings.pool, clients: route.admission.count,
            counters: route.counters.map(\.values) + [cleaning], statements: route.statements.size,
            pool: dedicated.reduce(into: route.pool.stats) { $0.addConnections(of: $1.pool.stats) },
            lags: lags, channels: route.history.hub.report)
    }
}

extension PoolStats {
    /// Counts the connections of another pool, too, as far as they go to backends of this one, and those who wait for one.
    fileprivate mutating func addConnections(of other: PoolStats) {
        slots += other.slots
        waiting += other.waiting
        oldestWait = max(oldestWait, other.oldestWait)
        for backend in other.backends {
            guard let place = backends.firstIndex(where: { $0.backend.id == backend.backend.id }) else {
                continue
            }
            backends[place].connecting += backend.connecting
            backends[place].idle += backend.idle
            backends[place].acquiring += backend.acquiring
            backends[place].claimed += backend.claimed
            backends[place].closing += backend.closing
        }
    }
}
