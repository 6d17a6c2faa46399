// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// Finds the settings for a client, and the live pool once the client has proved who it is.
///
/// Pools are made on demand, the first time an authenticated client needs one: whoever cannot log in makes the pooler
/// keep nothing.
final class Router: Sendable {
    private let settings: Settings
    private let table: RouteTable<RouteRule>
    private let consoles: [Admission]
    private let reactors: [Reactor]
    private let resolvers: [String: any Resolver]
    private let routes = Mutex<[Route.Key: Route]>([:])
    private let opened: AsyncStream<Route>.Continuation
    private let log: PoolerLog
    private let tcpOptions: TCPOptions
    /// Makes up the salts of users that do not exist, the same for the life of the process.
    let mockSecret: [UInt8]

    /// - Parameter opened: is told every route that is made; its pool needs someone to run it.
    init(
        _ settings: Settings, reactors: [Reactor], resolvers: [String: any Resolver], log: PoolerLog,
        opened: AsyncStream<Route>.Continuation
    ) {
        self.settings = settings
        self.reactors = reactors
        self.resolvers = resolvers
        self.opened = opened
        self.log = log
        let cryptography = OpenSSLCryptography()
        let rules = settings.routes.map {
            RouteRule($0, isConsole: settings.storage(of: $0).type == .local, cryptography: cryptography)
        }
        table = RouteTable(rules.map { ($0.settings.pattern, $0) })
        consoles = rules.compactMap(\.console)
        mockSecret = cryptography.randomBytes(32)
        tcpOptions = TCPOptions(settings)
    }

    /// The rule for a client; `nil` when there is none (3D000).
    func rule(database: String, user: String) -> RouteRule? {
        table.match(database: database, user: user)
    }

    /// All live routes.
    var all: [Route] { routes.withLock { Array($0.values) } }

    /// Clients at the console, by whichever route.
    var consoleClients: Int { consoles.reduce(0) { $0 + $1.count } }

    /// Gives an authenticated client its place in the live route of its rule, which is made if there is none.
    ///
    /// - Returns: the route, and whether it had room. Whoever got a place gives it back with `leave`.
    /// - Throws: `PolicyError` when the rule's numbers contradict one another.
    func enter(_ rule: RouteRule, database: String, user: String) throws(PolicyError) -> (Route, Bool) {
        let rule = rule.settings
        let key = Route.Key(
            database: rule.serverDatabase(forClientDatabase: database),
            user: rule.serverUser(forClientUser: user), pattern: rule.pattern)
        if let found = routes.withLock({ routes in routes[key].map { ($0, $0.admission.enter()) } }) {
            noteClient("client came", of: found.0)
            return found
        }
        let made = try make(key, rule)
        let (route, count, hasRoom) = routes.withLock { routes in
            let route = routes[key] ?? made
            routes[key] = route
            return (route, routes.count, route.admission.enter())
        }
        if route === made { opened.yield(made) }
        noteClient("client came", of: route)
        if count > Self.unusedLimit { collect(atOnce: true) }
        return (route, hasRoom)
    }

    /// The client has gone.
    func leave(_ route: Route) {
        route.leave(at: Deadline.now.nanoseconds)
        noteClient("client left", of: route)
    }

    /// Shown with `log_debug`, of everything or of the route.
    private func noteClient(_ event: String, of route: Route) {
        log.debug(
            "\(event): \(route.admission.count) present", in: context(of: route),
            ofRoute: route.settings.logDebug)
    }

    private func context(of route: Route) -> LogContext {
        var context = LogContext(.route)
        context.user = route.key.user
        context.database = route.key.database
        return context
    }

    /// Routes beyond which those that nobody uses go at once.
    private static var unusedLimit: Int { 1_000 }

    /// Gives up routes without clients and servers: after a minute, or after five seconds if they never had a server. With
    /// `default` in a rule clients choose the names: each would leave a pool behind, that tries to connect for ever.
    ///
    /// - Parameter atOnce: however short a time it was.
    func collect(atOnce: Bool = false) {
        let now = Deadline.now.nanoseconds
        for route in all where route.pool.stats.slots == 0 {
            let patience: UInt64 = atOnce ? 0 : (route.serverParameters == nil ? 5 : 60) * 1_000_000_000
            guard route.isUnused(since: now - min(now, patience)) else { continue }
            let isGone = routes.withLock { routes in
                // Clients come in under this lock: nobody can be on the way.
                guard route.admission.count == 0, routes[route.key] === route else { return false }
                routes[route.key] = nil
                return true
            }
            if isGone { Task { await route.pool.stop(grace: .zero) } }
        }
    }

    private func make(_ key: Route.Key, _ rule: RouteSettings) throws(PolicyError) -> Route {
        guard let resolver = resolvers[rule.storage] else {
            preconditionFailure("a route of checked settings names a storage that is not there")
        }
        let connector = PostgresConnector(
            PostgresConfiguration(key, rule), reactors: reactors, tcp: tcpOptions,
            observer: ServerConnectionLog(log: log, user: key.user, database: key.database))
        let name = "\(key.database).\(key.user)"
        let pool = try Pool(
            name: name, resolver: resolver, connector: connector, policy: Policy(rule, settings),
            logger: log.libraryLogger(label: "pool \(name)", isDebugging: rule.logDebug))
        return Route(key: key, settings: rule, connector: connector, pool: pool, workers: reactors.count)
    }
}

extension TCPOptions {
    init(_ settings: Settings) {
        self.init()
        noDelay = settings.noDelay
        keepAliveIdle = Int(settings.keepalive?.components.seconds ?? 0)
        keepAliveInterval = Int(settings.keepaliveInterval.components.seconds)
        keepAliveProbes = settings.keepaliveProbes
    }
}

extension PostgresConfiguration {
    init(_ key: Route.Key, _ rule: RouteSettings) {
        self.init(user: key.user, database: key.database, password: rule.serverPassword?.reveal())
        for option in rule.backendStartupOptions { parameters[option.name] = option.value }
        recycling.cancels = rule.poolCancel
        recycling.rollsBack = rule.poolRollback
        recycling.timeout = rule.poolResetTimeout ?? .seconds(86_400)
    }
}

extension Policy {
    /// A route's pool in the library's terms.
    init(_ rule: RouteSettings, _ settings: Settings) {
        self.init()
        maxSlots = rule.poolSize ?? 1_000_000
        perBackendMax = maxSlots
        spares = min(rule.minPoolSize, maxSlots)
        claimTimeout = rule.poolTimeout
        connectTimeout = settings.backendConnectTimeout
        maxLifetime = rule.serverLifetime
        shrink = rule.poolTTL.map { .afterIdle($0) } ?? .never
        maxWaiters = 1_000_000
        // epoll tells when an idle server hangs up, so nothing is gained by asking before each use.
        validationBypass = nil
        minBackoff = settings.serverLoginRetry
        maxBackoff = max(minBackoff, .seconds(3))
    }
}
