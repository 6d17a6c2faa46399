// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import Synchronization

/// Finds the live pool for a client that has proved who it is.
///
/// Pools are made on demand, the first time an authenticated client needs one: a client that cannot log in leaves nothing
/// behind.
final class Router: Sendable {
    /// What happens to live routes. Their pools run and stop under the receiver of these.
    enum Event: Sendable {
        /// Its pool is to be run.
        case opened(Route)
        /// No client can reach it any more; its pool is to be stopped.
        case abandoned(Route)
        /// Its clients go elsewhere, each when it can; its pool is to be stopped when the last one has.
        case retired(Route)
        /// The pool of what servers are asked about users is to be run.
        case inquiryOpened(Pool<PostgresConnector>)
        /// It is no longer asked.
        case inquiryRetired(Pool<PostgresConnector>)
    }

    private struct State {
        var snapshot: Snapshot
        var switches = DatabaseSwitches()
        var routes: [Route.Key: Route] = [:]
        /// Of routes whose servers have changed, until one of their clients comes to the new ones.
        var histories: [Route.Key: Route.History] = [:]

        /// What holds now for the clients of a route; nil if it leads to no servers.
        func definition(of pattern: RoutePattern) -> RouteDefinition? {
            snapshot.definition(of: pattern).flatMap { $0.console == nil ? $0 : nil }
        }
    }

    /// Clients that have entered, by the names they gave.
    let census = ClientCensus()
    /// Limits of servers over all routes.
    let quota = SharedQuota()
    /// What goes wrong for clients.
    let errors = SessionErrors()
    /// How far servers lag.
    let lags = ReplicaLags()
    /// What servers are asked about users.
    let inquiries: Inquiries
    /// Clients for replication.
    private let replications = ReplicationRoutes()
    private let reactors: [Reactor]
    private let state: Mutex<State>
    /// A database is disabled; read at every login.
    private let hasDisabled = Atomic<Bool>(false)
    private let events: AsyncStream<Event>.Continuation
    private let log: PoolerLog
    private let statementMemory: StatementMemory
    private let statementNumbers = StatementNumbers()
    /// Held while a pool is told what limits it shares, so that it is told last what was true last.
    private let sharing = Mutex(())

    init(
        reactors: [Reactor], snapshot: Snapshot, statementMemory: StatementMemory, log: PoolerLog,
        events: AsyncStream<Event>.Continuation
    ) {
        self.statementMemory = statementMemory
        self.reactors = reactors
        self.events = events
        self.log = log
        inquiries = Inquiries(reactors: reactors, quota: quota, log: log, events: events)
        state = Mutex(State(snapshot: snapshot))
    }

    /// All live routes.
    var all: [Route] { state.withLock { Array($0.routes.values) } }

    /// Routes of single clients for replication. What they do counts as that of the route by whose name they came.
    var dedicated: [Route] { replications.all }

    /// Gives an authenticated client its place in the live route of its definition, which is made if there is none.
    ///
    /// - Returns: the route, and whether it had room; nil if the configuration has no such route any more. A client that got a place
    ///   gives it back with `leave`.
    func enter(_ pattern: RoutePattern, _ startup: StartupMessage) -> (Route, Bool)? {
        let found = use(pattern, database: startup.database, user: startup.user) { ($0, $0.enter()) }
        guard let (route, hasRoom) = found else { return nil }
        logClient("client came", of: route)
        if state.withLock({ $0.routes.count }) > Self.unusedLimit { collect(after: .zero) }
        return (hasRoom && startup.replication != .none ? dedicate(route, to: startup) : route, hasRoom)
    }

    /// A route for one client of another.
    private func dedicate(_ route: Route, to startup: StartupMessage) -> Route {
        // Both pools come under the size of the one.
        route.history.hasReplication.store(true, ordering: .relaxed)
        share(route.key)
        let definition = RouteDefinition(of: route.definition, serving: startup.replication)
        let made = make(route.key, definition, route.history, for: startup)
        replications.add(made)
        state.withLock { if $0.switches.isPaused(made.clientDatabase) { made.pool.empty() } }
        events.yield(.opened(made))
        return made
    }

    /// Tells the pool of a live route what limits it shares.
    private func share(_ key: Route.Key) {
        sharing.withLock { _ in
            guard let route = state.withLock({ $0.routes[key] }) else { return }
            route.pool.share(quota, limits: route.serverLimits)
        }
    }

    /// Opens the route of a definition that keeps its pool, before a client comes.
    func open(_ definition: RouteDefinition) {
        guard let (database, user) = definition.settings.pattern.names else {
            preconditionFailure("a route without names is opened for a client")
        }
        _ = use(definition.settings.pattern, database: database, user: user) { _ in }
    }

    /// Finds the live route of these names, or makes it, and uses it under the lock, so that it is not given up meanwhile.
    ///
    /// - Returns: nil if the configuration has none.
    private func use<Result>(
        _ pattern: RoutePattern, database: String, user: String, _ body: (Route) -> Result
    ) -> Result? {
        var made: Route?
        var isOpened = false
        // A pool that nobody will have is no member of the quota.
        defer { if let made, !isOpened { made.pool.share(quota, limits: []) } }
        while true {
            let (result, missing): (Result?, (Route.Key, RouteDefinition, Route.History?)?) = state.withLock {
                state in
                guard let definition = state.definition(of: pattern) else { return (nil, nil) }
                let key = Route.Key(definition.settings, database: database, user: user)
                if let route = state.routes[key] { return (body(route), nil) }
                guard let made, made.key == key, made.definition === definition else {
                    return (nil, (key, definition, state.histories[key]))
                }
                state.routes[key] = made
                state.histories[key] = nil
                if state.switches.isPaused(made.clientDatabase) { made.pool.empty() }
                events.yield(.opened(made))
                isOpened = true
                return (body(made), nil)
            }
            guard let missing else { return result }
            made?.pool.share(quota, limits: [])
            // Not under the lock. If the configuration changes meanwhile, again.
            made = make(missing.0, missing.1, missing.2)
        }
    }

    /// Gives an authenticated client its place in a route that is known to be its own.
    ///
    /// - Returns: whether it had room; nil when the route was given up meanwhile.
    func enter(_ route: Route) -> Bool? {
        let hasRoom = state.withLock { _ in route.isOpen ? route.enter() : nil }
        if hasRoom != nil { logClient("client came", of: route) }
        return hasRoom
    }

    // MARK: Changes

    /// Whether any storage has one, so that somebody has to ask.
    var hasWatchdogs: Bool {
        state.withLock { $0.snapshot.settings.storages.contains { $0.watchdog != nil } }
    }

    /// Routes are what another snapshot says from now on. One whose servers are still found and spoken to in the same way keeps them.
    ///
    /// - Returns: those that clients must leave, because they are gone or have other servers.
    func apply(_ snapshot: Snapshot) -> [Route] {
        var retired: [Route] = []
        var changed: [Route] = []
        state.withLock { state in
            state.snapshot = snapshot
            state.histories = state.histories.filter { $0.value.admission.count > 0 }
            for (key, route) in state.routes {
                let definition = state.definition(of: key.pattern)
                if definition === route.definition { continue }
                route.abandon()
                if let definition, definition.access == route.definition.access {
                    let next = Route(definition, keepingServersOf: route)
                    state.routes[key] = next
                    changed.append(next)
                } else {
                    state.routes[key] = nil
                    if definition != nil { state.histories[key] = route.history }
                    retired.append(route)
                }
            }
        }
        inquiries.apply(snapshot)
        for route in changed {
            do throws(PolicyError) { try route.pool.update(policy: route.definition.policy) } catch {
                preconditionFailure("a snapshot has checked the policy of each route: \(error)")
            }
            share(route.key)
            lags.apply(to: route)
        }
        return retired
    }

    /// Clients have been told to leave these routes: their pools end when the last of them has.
    func retire(_ routes: [Route]) {
        for route in routes { events.yield(.retired(route)) }
    }

    /// Where a client of a route goes on; the route itself as long as its servers are its own, nil if there is no such route any more.
    func successor(of route: Route, database: String, user: String) -> Route? {
        let next = use(route.key.pattern, database: database, user: user) { $0 }
        guard let next, next.key == route.key else { return nil }
        let isDedicated = route.definition.replication != .none
        let keepsServers =
            isDedicated ? next.definition.access == route.definition.access : next.pool === route.pool
        return keepsServers ? route : next
    }

    // MARK: Switches

    /// What is paused and disabled.
    var switches: DatabaseSwitches { state.withLock { $0.switches } }

    /// Whether new clients of a database are refused.
    func isDisabled(_ database: String) -> Bool {
        hasDisabled.load(ordering: .relaxed) && switches.isDisabled(database)
    }

    /// Pauses, resumes, disables or enables databases, and has the pools obey.
    func change<Failure: Error>(_ body: (inout DatabaseSwitches) throws(Failure) -> Void) throws(Failure) {
        let result: Result<Void, Failure> = state.withLock { state in
            do throws(Failure) {
                try body(&state.switches)
            } catch {
                return .failure(error)
            }
            hasDisabled.store(!state.switches.isEverythingEnabled, ordering: .relaxed)
            // Under the lock: a route that is opened meanwhile must not be told the other thing.
            for route in Array(state.routes.values) + replications.all {
                let isPaused = state.switches.isPaused(route.clientDatabase)
                if isPaused, !route.pool.isSuspended { route.pool.empty() }
                if !isPaused, route.pool.isSuspended { route.pool.resume() }
            }
            return .success(())
        }
        try result.get()
    }

    /// A client of a route needs databases that nobody is in: servers in them that have nothing to do are closed. PostgreSQL waits for
    /// them to go.
    func vacate(_ databases: [String], as route: Route) {
        let storage = route.settings.storage
        for other in all where other.settings.storage == storage && databases.contains(other.key.database) {
            other.pool.retireAll()
        }
        for inquiry in inquiries.all where databases.contains(inquiry.question.configuration.database) {
            inquiry.pool.retireAll()
        }
    }

    // MARK: Departures

    /// The client has gone.
    func leave(_ route: Route) {
        route.leave(at: .now)
        if replications.remove(route) { events.yield(.retired(route)) }
        logClient("client left", of: route)
    }

    /// Gives up routes without clients and servers. With `default` in a route clients choose the names: each would leave a
    /// pool behind, that tries to connect for ever.
    ///
    /// - Parameter patience: how long a route must have been unused; without it the time depends on the route.
    func collect(after patience: Duration? = nil) {
        let now = Deadline.now
        for route in all where !route.definition.keepsPool && route.pool.stats.slots == 0 {
            let patience =
                patience
                ?? (route.accepted.isKnown ? Self.unusedPatience : Self.neverConnectedPatience)
            guard route.isUnused(since: now + (.zero - patience)) else { continue }
            let isGone = state.withLock { state in
                // Clients come in under this lock, so none is on the way.
                guard route.admission.count == 0, state.routes[route.key] === route else { return false }
                state.routes[route.key] = nil
                route.abandon()
                return true
            }
            if isGone { events.yield(.abandoned(route)) }
        }
    }

    /// Routes beyond which unused ones go at once: some megabytes of pools.
    private static let unusedLimit = 1_000
    /// A client that comes back within a minute finds its route and what is known of its servers.
    private static let unusedPatience = Duration.seconds(60)
    /// There is nothing worth keeping in a route that never had a server.
    private static let neverConnectedPatience = Duration.seconds(5)

    /// - Parameter startup: of the one client that it is for.
    private func make(
        _ key: Route.Key, _ definition: RouteDefinition, _ history: Route.History?,
        for startup: StartupMessage? = nil
    ) -> Route {
        guard case .servers(let resolver) = definition.target else {
            preconditionFailure("a client of the console was sent to a pool")
        }
        let isDebugging = definition.settings.logDebug
        let history =
            history
            ?? Route.History(
                workers: reactors.count,
                statements: StatementRegistry(numbers: statementNumbers, memory: statementMemory),
                errors: errors)
        var configuration = PostgresConfiguration(definition.settings, user: key.user, database: key.database)
        configuration.allowsCleartextPassword = definition.allowsCleartextPassword
        configuration.credentials = RouteCredentials(definition, user: key.user, history.passedKeys)
        if let startup {
            configuration.begin(as: startup, definition.settings, state.withLock { $0.snapshot.settings })
        }
        let connector = PostgresConnector(
            configuration, reactors: reactors, tcp: definition.tcp, encryption: definition.encryption,
            observer: ServerConnectionLog(
                log: log, user: key.user, database: key.database, isDebugging: isDebugging))
        let name = "\(key.database).\(key.user)" + (startup == nil ? "" : " (replication)")
        do throws(PolicyError) {
            let pool = try Pool(
                name: name, resolver: resolver, connector: connector, policy: definition.policy,
                logger: log.libraryLogger(label: "pool \(name)", isDebugging: isDebugging),
                // Timers and background work on a worker's thread: nothing here makes the default executor open files.
                clock: ReactorPoolClock(reactors[0]), executor: reactors[0])
            let route = Route(
                key: key, definition: definition, connector: connector, pool: pool, history: history)
            pool.share(quota, limits: route.serverLimits)
            if startup == nil { lags.apply(to: route) }
            return route
        } catch {
            preconditionFailure("a snapshot has checked the policy of each route: \(error)")
        }
    }

    /// Shown with `log_debug`, of everything or of the route.
    private func logClient(_ event: String, of route: Route) {
        log.debug(
            "\(event), \(route.admission.count) present", in: route.logContext(.route),
            ofRoute: route.settings.logDebug)
    }
}
