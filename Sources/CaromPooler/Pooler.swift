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
    let periods = StatisticsPeriods()
    private let current: CurrentSnapshot
    private let nextWorker = Atomic<Int>(0)
    private let refusals: RefusalCount
    private let statementMemory = StatementMemory()
    private let reactors: ReactorGroup
    private let router: Router
    private let routeEvents: AsyncStream<Router.Event>
    private let listeners: Listeners
    private let inherited: InheritedSockets
    let succession: Succession
    private let manager: ServiceManager?
    private let resolverKeeper = ResolverKeeper()
    /// Where a reload reads the configuration.
    private let file: String?
    /// What holds beside what the file says.
    private let options: CommandLineSettings
    private let reloads: AsyncStream<ReloadRequest>
    private let reloadRequests: AsyncStream<ReloadRequest>.Continuation
    private let isStopping = Atomic<Bool>(false)

    /// Somebody wants the configuration read again, or one setting changed, and to be told.
    private struct ReloadRequest: Sendable {
        var change: LiveChange?
        var told: @Sendable (ReloadOutcome) -> Void = { _ in }
    }

    /// Prepares everything that needs no network.
    ///
    /// - Parameters:
    ///   - ini: what the settings come from, if that is an ini file of PgBouncer's.
    ///   - file: where the settings come from, and a reload finds the next ones; nil if there is none.
    ///   - options: what was said beside the file, and is in the settings.
    ///   - processors: how many the machine has, for `workers "auto"`.
    ///   - manager: who wants to be told what the process is doing.
    ///   - inherited: sockets that listen already.
    ///   - takeover: of a running pooler, whose sockets are used instead.
    /// - Throws: `SystemError`, `LogWriter.Failure` or ``SnapshotError`` when a resource is not available.
    package init(
        _ settings: Settings, of ini: IniConfiguration? = nil, file: String? = nil,
        options: CommandLineSettings = CommandLineSettings(), processors: Int, manager: ServiceManager? = nil,
        inherited: InheritedSockets = InheritedSockets(environment: { _ in nil }, processID: 0),
        takeover: Takeover? = nil
    ) throws {
        self.file = file
        self.options = options
        self.manager = manager
        self.inherited = takeover.map { InheritedSockets($0) } ?? inherited
        listeners = Listeners(inherited: self.inherited)
        succession = Succession(takeover: takeover)
        (reloads, reloadRequests) = AsyncStream.makeStream(of: ReloadRequest.self)
        let log = try PoolerLog(settings)
        self.log = log
        reactors = try ReactorGroup(count: settings.workers.resolved(processors: processors))
        let snapshot = try Snapshot(settings, of: ini, previous: nil, log: log)
        let current = CurrentSnapshot(snapshot)
        self.current = current
        resolverKeeper.use(snapshot.resolvers)
        let (events, continuation) = AsyncStream.makeStream(of: Router.Event.self)
        routeEvents = events
        snapshot.limitMemory(ofStatements: statementMemory)
        let router = Router(
            reactors: reactors.reactors, snapshot: snapshot, statementMemory: statementMemory, log: log,
            events: continuation)
        self.router = router
        let cancels = CancelRegistry(settings)
        let admission = Admission()
        let presences = reactors.reactors.map { _ in ClientPresence() }
        refusals = RefusalCount()
        let loginServices = LoginServices(log: log)
        let statistics = StatisticsCollector(
            router: router, current: current, presences: presences, refusals: refusals,
            failures: loginServices.failures,
            statementMemory: statementMemory, log: log)
        self.statistics = statistics
        let (periods, requests) = (periods, reloadRequests)
        let (listeners, first) = (listeners, reactors.reactors[0])
        let actions = ConsoleActions(
            router, snapshot: { current.value }, closeDoors: { first.call { listeners.stop() } },
            reload: { requests.yield(ReloadRequest(change: $0, told: $1)) })
        let console = ConsoleContext(
            statistics: { statistics.statistics }, period: { periods.last }, snapshot: { current.value },
            switches: { router.switches }, errors: { router.errors.counts }, peers: { cancels.peers.all },
            jobs: actions.perform)
        workers = zip(reactors.reactors, presences).map { reactor, presence in
            Worker(
                reactor: reactor, router: router, cancels: cancels, admission: admission, console: console,
                presence: presence, loginServices: loginServices, log: log, snapshot: snapshot,
                workerCount: presences.count)
        }
        actions.use(workers)
    }

    /// What is configured now.
    var snapshot: Snapshot { current.value }

    /// Replaces the snapshot. Clients that come from now on are served by it; those that are here leave routes that are gone, and
    /// servers that are others now, at the end of their transactions. Listeners stay.
    func use(_ snapshot: Snapshot) async {
        let retired = router.apply(snapshot)
        let previous = current.value
        current.value = snapshot
        resolverKeeper.use(snapshot.resolvers, insteadOf: previous.resolvers)
        log.apply(snapshot.settings)
        snapshot.limitMemory(ofStatements: statementMemory)
        for worker in workers { await worker.use(snapshot) }
        router.retire(retired)
        for definition in snapshot.keptRoutes { router.open(definition) }
    }

    /// It takes no more clients.
    var takesNoMore: Bool { isStopping.load(ordering: .relaxed) }

    /// Clients that are connected.
    var clientCount: Int { workers.reduce(0) { $0 + $1.clientCount } }

    /// Listens and serves until a signal ends it or the task is cancelled; then lets the clients finish.
    ///
    /// - Throws: `SystemError` when an address cannot be listened on or `pid_file` cannot be written; nothing was served then.
    package func run() async throws {
        defer { log.flush() }
        let first = reactors.reactors[0]
        let snapshot = snapshot
        let wishes = try Listeners.wishes(of: snapshot)
        let sockets = try await withTaskExecutorPreference(first) {
            try self.listeners.prepare(wishes, snapshot, on: first, self.log)
        }
        try await withTaskExecutorPreference(first) {
            try await self.succession.begin(self.parts, snapshot.settings, self.inherited)
        }
        log.configuration(snapshot.settings)
        await withTaskExecutorPreference(first) {
            self.listeners.use(wishes, sockets, self.log)
            self.succession.listensElsewhere()
        }
        listeners.closeRest(log)
        for definition in snapshot.keptRoutes { router.open(definition) }
        tell(succession.takesOver ? .tookOver(process: getpid()) : .ready)
        await withTaskCancellationHandler {
            await withDiscardingTaskGroup { background in
                background.addTask(executorPreference: first) { await RoutePools.run(self.routeEvents) }
                background.addTask(executorPreference: first) { await self.resolverKeeper.run() }
                background.addTask(executorPreference: first) { await self.followStatistics(on: first) }
                background.addTask(executorPreference: first) { await self.collectRoutes(on: first) }
                background.addTask(executorPreference: first) {
                    await AccessFiles.follow({ self.snapshot.accessFiles }, on: first, self.log)
                }
                background.addTask(executorPreference: first) {
                    await ServerFollowers(router: self.router, workers: self.workers, log: self.log)
                        .run(on: first)
                }
                background.addTask { await self.serveStatistics() }
                background.addTask(executorPreference: first) { await self.followSignals(first) }
                background.addTask(executorPreference: first) { await self.followReloads(on: first) }
                background.addTask(executorPreference: first) { await self.accept(on: first) }
                background.addTask(executorPreference: first) { await self.succession.run() }
                background.addTask(executorPreference: first) { await self.showSignsOfLife(on: first) }
                await self.serve()
                background.cancelAll()
            }
        } onCancel: {
            stop()
        }
        await withTaskExecutorPreference(first) { self.succession.end() }
        reactors.stop()
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
            for route in router.all + router.dedicated {
                group.addTask { await route.pool.stop(grace: Self.closingGrace) }
            }
            for pool in router.inquiries.pools { group.addTask { await pool.stop(grace: Self.closingGrace) } }
        }
    }

    /// No client is left when servers are closed; what is still lent is being cleaned, and is not waited for any longer.
    private static let closingGrace = Duration.seconds(1)

    // MARK: Routes

    /// Gives up routes that are no longer used.
    private func collectRoutes(on reactor: Reactor) async {
        while await reactor.sleep(for: Self.collectInterval) { router.collect() }
    }

    /// The shortest time after which a route can be given up, see `Router.collect`.
    private static let collectInterval = Duration.seconds(5)

    // MARK: Listeners

    /// Accepts clients on every listener, those included that a reload opens.
    private func accept(on reactor: Reactor) async {
        await withDiscardingTaskGroup { group in
            for await socket in listeners.opened {
                group.addTask(executorPreference: reactor) { await self.accept(socket) }
            }
        }
    }

    /// Accepts clients and hands them to the workers in turn.
    private func accept(_ socket: Listener) async {
        do throws(SystemError) {
            while let accepted = try await socket.accept() {
                let budget = snapshot.descriptors
                guard budget.hasRoom(for: accepted.descriptor) else {
                    refuse(accepted, Refusal(budget))
                    continue
                }
                guard let definition = listeners.definition(of: socket) else {
                    close(accepted.descriptor)
                    continue
                }
                let index = nextWorker.wrappingAdd(1, ordering: .relaxed).oldValue
                workers[index % workers.count].deliver(
                    Worker.Arrival(accepted: accepted, listener: definition))
            }
        } catch {
            log.error("\(error); this listener is closed")
            listeners.drop(socket)
        }
    }

    private func refuse(_ client: Listener.Accepted, _ refusal: Refusal) {
        refusals.add()
        log.error("client from \(client.peer): \(refusal.reason)")
        refusal.send(to: client)
    }

    // MARK: Reload

    /// Serves requests for a reload one after the other.
    private func followReloads(on reactor: Reactor) async {
        for await request in reloads {
            tell(.reloading)
            let outcome = await reload(request.change, on: reactor)
            tell(takesNoMore ? .stopping : .ready)
            switch outcome {
            case .failed(let reason): log.error("reload: nothing has changed: \(reason)")
            case .done(let changes): log.info("reload: done, \(changes.count) changes")
            }
            request.told(outcome)
        }
    }

    private func reload(_ change: LiveChange?, on reactor: Reactor) async -> ReloadOutcome {
        if change == nil, file == nil { return .failed("there is no file to read") }
        if takesNoMore { return .failed("the pooler is shutting down") }
        if succession.hasHandedOver { return .failed("another process has taken over") }
        let reload: Reload
        let sockets: [SocketAddress: Listener]
        do {
            let thread = try ComputingThread(name: "reload")
            reload = try await Reload.read(
                file ?? "", with: options, change, previous: snapshot, log: log, on: thread)
            sockets = try listeners.prepare(reload.listeners, reload.snapshot, on: reactor, log)
        } catch let error as ReloadError {
            for mistake in error.mistakes { log.error("reload: \(mistake)") }
            return .failed(error.mistakes.first ?? "the configuration cannot be read")
        } catch {
            return .failed("\(error)")
        }
        for line in reload.changes.lines { log.info("reload: \(line)") }
        if !reload.changes.awaitingRestart.isEmpty {
            let names = reload.changes.awaitingRestart.joined(separator: ", ")
            log.error("reload: warning: needs a restart to take effect: \(names)")
        }
        log.configuration(reload.snapshot.settings)
        await use(reload.snapshot)
        if takesNoMore {
            for socket in sockets.values { socket.close() }
        } else {
            listeners.use(reload.listeners, sockets, log)
            succession.listensElsewhere()
        }
        return .done(reload.changes.lines)
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
    private func followSignals(_ reactor: Reactor) async {
        let signals: Signals
        do throws(SystemError) {
            signals = try Signals(Self.handledSignals, reactor: reactor)
        } catch {
            log.error("\(error); the pooler stops")
            return stop()
        }
        var decision = SignalDecision()
        var deadline = Deadline.never
        while !Task.isCancelled {
            guard let signal = await signals.next(until: deadline) else {
                if Task.isCancelled { return }
                deadline = .never
                abort("graceful_shutdown_timeout_ms is over")
                continue
            }
            switch decision.received(signal) {
            case .stop:
                log.info("signal \(signal): stopping; clients may finish their transactions")
                stop()
                if let limit = snapshot.settings.gracefulShutdownTimeout {
                    deadline = .now + limit
                }
            case .drain:
                log.info("signal \(signal): stopping; clients may finish their transactions, however long")
                stop()
            case .abort(let reason): abort(reason)
            case .reload: reloadRequests.yield(ReloadRequest())
            case .reopenLog: log.reopen()
            case .none: log.info("signal \(signal) has no effect")
            }
        }
    }

    /// Tells a service manager that wants to know it that all loops turn. Twice as often as it must: a message may be late.
    private func showSignsOfLife(on reactor: Reactor) async {
        guard let manager, let patience = manager.patience else { return }
        let pulse = WorkerPulse()
        while await reactor.sleep(for: patience / 2) {
            if pulse.take(of: reactors.reactors) { tell(.alive) }
        }
    }

    /// Tells the service manager, unless another process does so by now.
    private func tell(_ state: ServiceManager.State) {
        if !succession.hasHandedOver { manager?.tell(state) }
    }

    /// What a hand-over to or from another process needs of this one.
    private var parts: ProcessParts {
        ProcessParts(
            workers: workers, listeners: listeners, router: router, cancels: workers[0].cancels, log: log,
            handedOver: { if !$0 { self.tell(.tookOver(process: getpid())) } },
            patience: { self.snapshot.settings.gracefulShutdownTimeout }, abort: { self.abort($0) },
            finish: { self.stop() })
    }

    /// Takes no more clients, and ends each of those that are here when it holds no server.
    private func stop() {
        isStopping.store(true, ordering: .relaxed)
        tell(.stopping)
        reactors.reactors[0].call {
            self.listeners.stop()
            self.succession.stop()
        }
        for worker in workers { worker.stop() }
    }

    /// Takes no more clients, and ends all of those that are here.
    private func abort(_ reason: String) {
        log.info("\(reason): ending \(clientCount) clients")
        stop()
        for worker in workers { worker.abort() }
    }
}
