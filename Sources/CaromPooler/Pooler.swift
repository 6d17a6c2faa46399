// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
package import CaromConfiguration
import CaromPostgres
import CaromReactor
import Glibc
import Synchronization

/// The pooler as a whole: workers that serve clients, listeners that accept them, and what runs in the background.
package final class Pooler: Sendable {
    let log: PoolerLog
    let workers: [Worker]
    let statistics: StatisticsCollector
    private let current: CurrentSnapshot
    private let nextWorker = Atomic<Int>(0)
    private let refusals: RefusalCount
    private let statementMemory: StatementMemory
    private let reactors: ReactorGroup
    private let router: Router
    private let routeEvents: AsyncStream<Router.Event>

    /// Prepares everything that needs no network.
    ///
    /// - Parameter processors: how many the machine has, for `workers "auto"`.
    /// - Throws: `SystemError`, `LogWriter.Failure` or ``SnapshotError`` when a resource is not available.
    package init(_ settings: Settings, processors: Int) throws {
        let log = try PoolerLog(settings)
        self.log = log
        reactors = try ReactorGroup(count: settings.workers.resolved(processors: processors))
        let snapshot = try Snapshot(settings, previous: nil, log: log)
        let current = CurrentSnapshot(snapshot)
        self.current = current
        let (events, continuation) = AsyncStream.makeStream(of: Router.Event.self)
        routeEvents = events
        statementMemory = StatementMemory(limit: settings.preparedStatementsMemory)
        let router = Router(
            reactors: reactors.reactors, statementMemory: statementMemory, log: log, events: continuation)
        self.router = router
        let cancels = CancelRegistry()
        let admission = Admission()
        let keyring = SCRAMKeyring(name: "client-keys")
        let presences = reactors.reactors.map { _ in ClientPresence() }
        refusals = RefusalCount()
        let statistics = StatisticsCollector(
            router: router, current: current, presences: presences, refusals: refusals,
            statementMemory: statementMemory, log: log)
        self.statistics = statistics
        let console = ConsoleContext { statistics.statistics }
        workers = zip(reactors.reactors, presences).map { reactor, presence in
            Worker(
                reactor: reactor, router: router, cancels: cancels, admission: admission, console: console,
                presence: presence, keyring: keyring, log: log, snapshot: snapshot,
                workerCount: presences.count)
        }
    }

    /// What is configured now.
    var snapshot: Snapshot { current.value }

    /// Replaces the snapshot: clients that come from now on are served by it. Open listeners stay.
    func use(_ snapshot: Snapshot) {
        current.value = snapshot
        log.apply(snapshot.settings)
        statementMemory.use(limit: snapshot.settings.preparedStatementsMemory)
        for worker in workers { worker.use(snapshot) }
    }

    /// Clients that are connected.
    var clientCount: Int { workers.reduce(0) { $0 + $1.clientCount } }

    /// Listens and serves until a signal ends it or the task is cancelled; then lets the clients finish.
    ///
    /// - Throws: `SystemError` when an address cannot be listened on or `pid_file` cannot be written; nothing was served then.
    package func run() async throws {
        defer { log.flush() }
        let first = reactors.reactors[0]
        let snapshot = snapshot
        let listeners = try await withTaskExecutorPreference(first) { try self.listen(snapshot, on: first) }
        let processFile = try snapshot.settings.pidFile.map { path throws(SystemError) in
            try ProcessFile(path)
        }
        log.configuration(snapshot.settings)
        for listener in listeners { log.info("listening on \(listener.socket.address)") }
        for definition in snapshot.keptRoutes { router.open(definition) }
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { background in
                background.addTask(executorPreference: first) { await self.runPools() }
                background.addTask(executorPreference: first) { await self.logStatistics(on: first) }
                background.addTask(executorPreference: first) { await self.collectRoutes(on: first) }
                background.addTask { await self.serveStatistics() }
                background.addTask(executorPreference: first) { await self.followSignals(listeners, first) }
                for listener in listeners {
                    background.addTask(executorPreference: first) { await self.accept(listener) }
                }
                await self.serve()
                background.cancelAll()
            }
        } onCancel: {
            stop(listeners)
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
            for route in router.all { group.addTask { await route.pool.stop(grace: Self.closingGrace) } }
        }
    }

    /// No client is left when servers are closed; what is still lent is being cleaned, and is not waited for any longer.
    private static let closingGrace = Duration.seconds(1)

    // MARK: Routes

    /// Runs the pool of every route that is opened, and stops those that are given up.
    private func runPools() async {
        await withDiscardingTaskGroup { group in
            for await event in routeEvents {
                switch event {
                case .opened(let route): group.addTask { await route.pool.run() }
                case .abandoned(let route): group.addTask { await route.pool.stop(grace: .zero) }
                }
            }
            group.cancelAll()
        }
    }

    /// Gives up routes that are no longer used.
    private func collectRoutes(on reactor: Reactor) async {
        while await reactor.sleep(for: Self.collectInterval) { router.collect() }
    }

    /// The shortest time after which a route can be given up, see `Router.collect`.
    private static let collectInterval = Duration.seconds(5)

    // MARK: Listeners

    /// An open listener and the block that asked for it.
    private struct OpenListener: Sendable {
        let socket: Listener
        let definition: ListenerDefinition
    }

    /// The kernel may keep a caller for so long until it sends its startup packet: then one event brings both. Longer would
    /// keep a silent caller out of `client_login_timeout`.
    private static var acceptDeferral: Duration { .seconds(1) }

    /// Opens every listener of the snapshot; all or none.
    private func listen(_ snapshot: Snapshot, on reactor: Reactor) throws(SystemError) -> [OpenListener] {
        var opened: [OpenListener] = []
        do throws(SystemError) {
            for definition in snapshot.listeners {
                for (address, mode) in try definition.socketAddresses() {
                    do throws(SystemError) {
                        let socket = try Listener(
                            on: address, backlog: Int32(clamping: definition.settings.backlog), mode: mode,
                            tcp: snapshot.tcp, deferAccept: Self.acceptDeferral, reactor: reactor)
                        opened.append(OpenListener(socket: socket, definition: definition))
                    } catch  where error.code == EAFNOSUPPORT && definition.isOptional(address) {
                        log.info("\(error); this machine has no IPv6")
                    }
                }
            }
        } catch {
            for listener in opened { listener.socket.close() }
            throw error
        }
        return opened
    }

    /// Accepts clients and hands them to the workers in turn.
    private func accept(_ listener: OpenListener) async {
        do throws(SystemError) {
            while let accepted = try await listener.socket.accept() {
                let budget = snapshot.descriptors
                guard budget.hasRoom(for: accepted.descriptor) else {
                    refuse(accepted, Refusal(budget))
                    continue
                }
                let index = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
                workers[index % workers.count].deliver(
                    Worker.Arrival(accepted: accepted, listener: listener.definition))
            }
        } catch {
            log.error("\(error); this listener is closed")
            listener.socket.close()
        }
    }

    private func refuse(_ client: Listener.Accepted, _ refusal: Refusal) {
        refusals.add()
        log.error("client from \(client.peer): \(refusal.reason)")
        refusal.send(to: client)
    }

    // MARK: Stopping

    /// The signals that the pooler handles; block them before any thread starts, see `Signals.block`.
    package static var handledSignals: [Int32] { SignalDecision.handled }

    /// The signals that shall do nothing, see `Signals.ignore`.
    package static var ignoredSignals: [Int32] { SignalDecision.ignored }

    /// A fault of the process is told in the log, see ``LogWriter/reportFaults()``. For the one pooler of a process.
    package func reportFaults() { log.reportFaults() }

    /// Follows signals until the task is cancelled, which it is when the last client has gone.
    ///
    /// A stop that has not ended after `graceful_shutdown_timeout_ms` ends all clients.
    private func followSignals(_ listeners: [OpenListener], _ reactor: Reactor) async {
        let signals: Signals
        do throws(SystemError) {
            signals = try Signals(Self.handledSignals, reactor: reactor)
        } catch {
            log.error("\(error); the pooler stops")
            return stop(listeners)
        }
        var decision = SignalDecision()
        var deadline = Deadline.never
        while !Task.isCancelled {
            guard let signal = await signals.next(until: deadline) else {
                if Task.isCancelled { return }
                deadline = .never
                abort(listeners, "graceful_shutdown_timeout_ms is over")
                continue
            }
            switch decision.received(signal) {
            case .stop:
                log.info("signal \(signal): stopping; clients may finish their transactions")
                stop(listeners)
                if let limit = snapshot.settings.gracefulShutdownTimeout {
                    deadline = .now + limit
                }
            case .abort(let reason): abort(listeners, reason)
            case .reload: log.info("SIGHUP: a reload is not possible; the configuration stays as it is")
            case .reopenLog: log.reopen()
            case .none: log.info("signal \(signal) has no effect")
            }
        }
    }

    /// Takes no more clients, and ends each of those that are here when it holds no server.
    private func stop(_ listeners: [OpenListener]) {
        reactors.reactors[0].call { for listener in listeners { listener.socket.close() } }
        for worker in workers { worker.stop() }
    }

    /// Takes no more clients, and ends all of those that are here.
    private func abort(_ listeners: [OpenListener], _ reason: String) {
        log.info("\(reason): ending \(clientCount) clients")
        stop(listeners)
        for worker in workers { worker.abort() }
    }
}
