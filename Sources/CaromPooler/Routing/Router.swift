// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
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
    }

    private let reactors: [Reactor]
    private let routes = Mutex<[Route.Key: Route]>([:])
    private let events: AsyncStream<Event>.Continuation
    private let log: PoolerLog
    private let statementMemory: StatementMemory

    init(
        reactors: [Reactor], statementMemory: StatementMemory, log: PoolerLog,
        events: AsyncStream<Event>.Continuation
    ) {
        self.statementMemory = statementMemory
        self.reactors = reactors
        self.events = events
        self.log = log
    }

    /// All live routes.
    var all: [Route] { routes.withLock { Array($0.values) } }

    /// Gives an authenticated client its place in the live route of its definition, which is made if there is none.
    ///
    /// - Returns: the route, and whether it had room. A client that got a place gives it back with `leave`.
    func enter(_ definition: RouteDefinition, database: String, user: String) -> (Route, Bool) {
        let key = Route.Key(definition.settings, database: database, user: user)
        if let found = routes.withLock({ routes in routes[key].map { ($0, $0.enter()) } }) {
            logClient("client came", of: found.0)
            return found
        }
        let made = make(key, definition)
        let (route, count, hasRoom) = routes.withLock { routes in
            let route = routes[key] ?? made
            routes[key] = route
            return (route, routes.count, route.enter())
        }
        if route === made { events.yield(.opened(made)) }
        logClient("client came", of: route)
        if count > Self.unusedLimit { collect(after: .zero) }
        return (route, hasRoom)
    }

    /// Opens the route of a definition that keeps its pool, before a client comes.
    func open(_ definition: RouteDefinition) {
        guard let (database, user) = definition.settings.pattern.names else {
            preconditionFailure("a route without names is opened for a client")
        }
        let key = Route.Key(definition.settings, database: database, user: user)
        let made = make(key, definition)
        let isNew = routes.withLock { routes in
            if routes[key] != nil { return false }
            routes[key] = made
            return true
        }
        if isNew { events.yield(.opened(made)) }
    }

    /// Gives an authenticated client its place in a route that is known to be its own.
    ///
    /// - Returns: whether it had room; nil when the route was given up meanwhile.
    func enter(_ route: Route) -> Bool? {
        let hasRoom = routes.withLock { _ in route.isOpen ? route.enter() : nil }
        if hasRoom != nil { logClient("client came", of: route) }
        return hasRoom
    }

    /// The client has gone.
    func leave(_ route: Route) {
        route.leave(at: .now)
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
            let isGone = routes.withLock { routes in
                // Clients come in under this lock, so none is on the way.
                guard route.admission.count == 0, routes[route.key] === route else { return false }
                routes[route.key] = nil
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

    private func make(_ key: Route.Key, _ definition: RouteDefinition) -> Route {
        guard case .servers(let resolver) = definition.target else {
            preconditionFailure("a client of the console was sent to a pool")
        }
        let isDebugging = definition.settings.logDebug
        let connector = PostgresConnector(
            PostgresConfiguration(definition.settings, user: key.user, database: key.database),
            reactors: reactors, tcp: definition.tcp, encryption: definition.encryption,
            observer: ServerConnectionLog(
                log: log, user: key.user, database: key.database, isDebugging: isDebugging))
        let name = "\(key.database).\(key.user)"
        do throws(PolicyError) {
            let pool = try Pool(
                name: name, resolver: resolver, connector: connector, policy: definition.policy,
                logger: log.libraryLogger(label: "pool \(name)", isDebugging: isDebugging),
                // Timers and background work on a worker's thread: nothing here makes the default executor open files.
                clock: ReactorPoolClock(reactors[0]), executor: reactors[0])
            return Route(
                key: key, definition: definition, connector: connector, pool: pool, workers: reactors.count,
                statementMemory: statementMemory)
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
