// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
package import CaromConfiguration
import CaromPostgres
import CaromReactor
import Synchronization

/// The pooler as a whole: reads its settings once, then runs until it is stopped.
package final class Pooler: Sendable {
    let settings: Settings
    let log: PoolerLog
    let workers: [Worker]
    let nextWorker = Atomic<Int>(0)
    private let reactors: ReactorGroup
    private let router: Router
    let statistics: StatisticsCollector
    private let opened: AsyncStream<Route>

    /// Prepares everything that needs no network.
    ///
    /// - Parameter processors: how many the machine has, for `workers "auto"`.
    /// - Throws: what says that threads, descriptors or files cannot be had.
    package init(_ settings: Settings, processors: Int) throws {
        self.settings = settings
        let log = try PoolerLog(settings)
        self.log = log
        let count = settings.workers.resolved(processors: processors)
        reactors = try ReactorGroup(count: count)
        let (opened, opening) = AsyncStream.makeStream(of: Route.self)
        self.opened = opened
        let router = Router(
            settings, reactors: reactors.reactors, resolvers: try Storages.resolvers(settings, log: log),
            log: log,
            opened: opening)
        self.router = router
        let cancels = CancelRegistry()
        let admission = Admission(limit: settings.clientMax)
        let presences = reactors.reactors.map { _ in ClientPresence() }
        let statistics = StatisticsCollector(router: router, presences: presences)
        self.statistics = statistics
        let console = ConsoleContext { statistics.statistics }
        workers = zip(reactors.reactors, presences).map { reactor, presence in
            Worker(
                reactor: reactor, router: router, cancels: cancels, admission: admission, console: console,
                presence: presence, log: log, bufferSize: settings.readahead,
                cancelTimeout: settings.cancelTimeout)
        }
    }

    /// Listens and serves until SIGTERM or SIGINT, or until the task is cancelled; then lets the clients finish.
    ///
    /// - Throws: `SystemError` when a listener's address cannot be had or `pid_file` cannot be written; nothing was served then.
    package func run() async throws {
        let first = reactors.reactors[0]
        let listeners = try await withTaskExecutorPreference(first) { try self.listen(on: first) }
        let processFile = try settings.pidFile.map { path throws(SystemError) in try ProcessFile(path) }
        log.configuration(settings)
        for (listener, _) in listeners { log.info("listening on \(listener.address)") }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { background in
                background.addTask(executorPreference: first) { await self.runPools() }
                background.addTask(executorPreference: first) { await self.logStatistics(on: first) }
                background.addTask(executorPreference: first) { await self.collectRoutes(on: first) }
                background.addTask { await self.serveStatistics() }
                background.addTask(executorPreference: first) {
                    await self.awaitSignals(listeners.map { $0.0 }, first)
                }
                for (listener, block) in listeners {
                    background.addTask(executorPreference: first) { await self.accept(listener, block) }
                }
                await self.serve()
                background.cancelAll()
            }
        } onCancel: {
            stop(listeners.map { $0.0 })
        }
        reactors.stop()
        _ = consume processFile
        log.info("stopped")
    }

    /// Serves clients until the workers were stopped and the last client has gone, then closes the servers.
    private func serve() async {
        await withDiscardingTaskGroup { group in
            for worker in workers {
                group.addTask(executorPreference: worker.reactor) { await worker.run() }
            }
        }
        await withDiscardingTaskGroup { group in
            for route in router.all { group.addTask { await route.pool.stop(grace: .seconds(1)) } }
        }
    }

    /// Runs the pool of every route that is opened.
    private func runPools() async {
        await withDiscardingTaskGroup { group in
            for await route in opened { group.addTask { await route.pool.run() } }
            group.cancelAll()
        }
    }

    /// Gives up routes that nobody uses any more.
    private func collectRoutes(on reactor: Reactor) async {
        while await reactor.sleep(for: .seconds(5)) { router.collect() }
    }

    /// Takes no more clients, and ends each of those that are here when it holds no server.
    func stop(_ listeners: [Listener]) {
        reactors.reactors[0].call { for listener in listeners { listener.close() } }
        for worker in workers { worker.stop() }
    }

    /// Clients that are connected.
    var clientCount: Int { workers.reduce(0) { $0 + $1.clientCount } }
}
