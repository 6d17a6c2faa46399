// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// A live pool and what belongs to it: all clients of one database and user under one set of settings.
final class Route: Sendable {
    /// The names the server knows, which make the pool.
    struct Key: Hashable, Sendable {
        let database: String
        let user: String
        let pattern: RoutePattern

        /// The key of the route for a client that asked for this database as this user.
        init(_ settings: RouteSettings, database: String, user: String) {
            self.database = settings.serverDatabase(forClientDatabase: database)
            self.user = settings.serverUser(forClientUser: user)
            pattern = settings.pattern
        }

        /// What clients call the database; what the server does where they choose the name.
        var clientDatabase: String {
            if case .exact(let name) = pattern.database { name } else { database }
        }
    }

    let key: Key
    let definition: RouteDefinition
    let connector: PostgresConnector
    let pool: Pool<PostgresConnector>
    /// Which session settings servers of this route have accepted.
    let accepted: AcceptedParameters
    /// The same of servers of one kind, for clients that have chosen it; what servers report depends on their kind.
    private let acceptedByChoice: [TargetSessionAttributes: AcceptedParameters]
    /// What its clients take along when its settings change.
    let history: History
    /// The router has given the route up. Set under the router's lock.
    private let isAbandoned = Atomic<Bool>(false)

    /// What outlives a change of the route's settings.
    final class History: Sendable {
        let admission = Admission()
        /// One per worker, in the workers' order; each is written by its worker only.
        let counters: [Counters]
        /// Of the client that logged in last, where the route's servers are to be opened with them.
        let passedKeys = PassedKeys()
        /// The statements that clients have prepared.
        let statements: StatementRegistry
        /// Listens for clients whose servers are pooled.
        let hub = ChannelHub()
        /// What goes wrong for clients, of all routes.
        let errors: SessionErrors
        /// There has been a client for replication.
        let hasReplication = Atomic<Bool>(false)
        /// When the last client left, in nanoseconds of `Deadline`.
        fileprivate let leftAt = Atomic<UInt64>(.max)

        init(workers: Int, statements: StatementRegistry, errors: SessionErrors) {
            self.statements = statements
            self.errors = errors
            counters = (0..<workers).map { _ in Counters() }
        }
    }

    init(
        key: Key, definition: RouteDefinition, connector: PostgresConnector, pool: Pool<PostgresConnector>,
        history: History
    ) {
        self.key = key
        self.definition = definition
        self.connector = connector
        self.pool = pool
        self.history = history
        accepted = AcceptedParameters()
        acceptedByChoice = Self.acceptedByChoice(definition)
    }

    /// The same route with other settings, which keeps its servers.
    init(_ definition: RouteDefinition, keepingServersOf other: Route) {
        key = other.key
        self.definition = definition
        connector = other.connector
        pool = other.pool
        history = other.history
        accepted = other.accepted
        acceptedByChoice = Self.acceptedByChoice(definition)
    }

    private static func acceptedByChoice(_ definition: RouteDefinition)
        -> [TargetSessionAttributes: AcceptedParameters]
    {
        if !definition.choosesTarget { return [:] }
        return Dictionary(
            uniqueKeysWithValues: TargetSessionAttributes.allCases.map { ($0, AcceptedParameters()) })
    }

    var admission: Admission { history.admission }
    var counters: [Counters] { history.counters }
    var statements: StatementRegistry { history.statements }

    var settings: RouteSettings { definition.settings }

    /// `database.user`, for people.
    var name: String { "\(key.database).\(key.user)" }

    /// See ``Key/clientDatabase``.
    var clientDatabase: String { key.clientDatabase }

    /// Limits of servers that it shares with other routes, and with its clients for replication.
    var serverLimits: [QuotaLimit] {
        let shared = definition.serverLimits.all(database: clientDatabase, user: key.user)
        guard let own = definition.serverLimits.route, history.hasReplication.load(ordering: .relaxed)
        else { return shared }
        let rule = "\(key.pattern)"
        return shared + [
            QuotaLimit(QuotaGroup("route", rule == name ? name : "\(name) (\(rule))"), own)
        ]
    }

    /// What a log line about the route says of it.
    func logContext(_ phase: LogPhase) -> LogContext {
        var context = LogContext(phase)
        context.user = key.user
        context.database = key.database
        return context
    }

    /// Nobody comes in any more. For the router, under its lock.
    func abandon() { isAbandoned.store(true, ordering: .relaxed) }

    /// Whether clients may still come. For the router, under its lock.
    var isOpen: Bool { !isAbandoned.load(ordering: .relaxed) }

    /// What the client has chosen, where it may.
    func choice(of startup: StartupMessage) -> TargetSessionAttributes? {
        definition.choosesTarget ? TargetSessionAttributes(askedForBy: startup) : nil
    }

    /// Which session settings servers of the client's choice have accepted.
    func accepted(for choice: TargetSessionAttributes?) -> AcceptedParameters {
        choice.flatMap { acceptedByChoice[$0] } ?? accepted
    }

    /// A server has said something that is more than an answer.
    ///
    /// - Parameters:
    ///   - isUnasked: nobody has asked for what it reports, and others may be told the same.
    ///   - version: of its role before.
    func heard(
        _ received: ServerState.Received, from server: PostgresConnection, isUnasked: Bool, since version: Int
    ) {
        // It may be no primary any more: its other connections are asked.
        if received.refusesWrites, server.role != .standby { pool.markSuspect(server.backend.id) }
        if !received.parametersChanged { return }
        if isUnasked { heardUnasked(from: server) }
        server.parameterChanged(since: version)
    }

    private func heardUnasked(from server: PostgresConnection) {
        server.state.believeReports()
        accepted.expire()
        for accepted in acceptedByChoice.values { accepted.expire() }
    }

    /// A claim for a client that has chosen this, or nothing.
    func request(_ choice: TargetSessionAttributes?) -> ClaimRequest {
        if definition.choosesTarget, let choice { return choice.request }
        return definition.sessionTarget.request
    }

    /// How often what only reads goes to another server, for a client that has chosen this, or nothing: never where it could have changed
    /// something, or could do so there.
    func readRetries(_ choice: TargetSessionAttributes?) -> Int {
        let retries = settings.readRetry
        if retries == 0 { return 0 }
        let target = definition.choosesTarget ? choice ?? definition.sessionTarget : definition.sessionTarget
        return target == .standby ? retries : 0
    }

    /// Admits one more client, unless `client_max` of the route is reached.
    func enter() -> Bool { admission.enter(limit: definition.clientMax) }

    /// A client that was admitted has gone.
    func leave(at now: Deadline) {
        history.leftAt.store(now.nanoseconds, ordering: .relaxed)
        admission.leave()
    }

    /// Whether there has been no client from then on.
    func isUnused(since then: Deadline) -> Bool {
        admission.count == 0 && history.leftAt.load(ordering: .relaxed) <= then.nanoseconds
    }

    /// Whether one more client may have a server without another's giving one up. One that is being reset soon has none; of a pool that
    /// is paused nobody gets any.
    var hasRoom: Bool {
        if pool.isSuspended { return false }
        let stats = pool.stats
        return stats.backends.reduce(stats.waiting) { $0 + $1.claimed } < pool.policy.maxSlots
    }

    /// What decides about the bytes of a client.
    ///
    /// - Parameter record: what it has from before it came here.
    func machine(for user: UInt64, _ counters: Counters, _ record: RelayRecord) -> RelayMachine {
        RelayMachine(
            keepsServer: definition.keepsServer, pins: settings.poolPin,
            oneAtATime: settings.pool == .statement,
            isConfirmed: record.isConfirmed, book: SessionBook(record.session), records: record.statements,
            statements: definition.keepsServer
                ? nil
                : ClientRequests.Origin(
                    registry: statements, user: user, limit: settings.maxPreparedStatements,
                    channels: settings.poolListen ? ClientChannels() : nil),
            reset: definition.resetQuery, counters: counters)
    }

    /// What to tell a client that gets no server.
    ///
    /// It is counted, so that it is to be asked for only once it is told.
    func refusal(_ error: PoolError) -> SessionEnd {
        if let error = Self.counted(error) { history.errors.count(error, of: key) }
        if let fields = forwardedError(error) { return .refused(fields) }
        switch error.code {
        case .exhausted, .timedOut, .queueFull, .overloaded:
            return .fatal(
                .tooManyConnections, "too many active clients for route \(name): \(error.message)",
                hint:
                    "raise pool_size, the limit that is named, or pool_timeout, or let transactions end sooner"
            )
        case .stopped, .cancelled:
            return .fatal(.adminShutdown, "the pooler is shutting down")
        default:
            // That there are servers, but none of the kind, is likely to pass: a standby is being promoted. libpq tries its next host.
            let isSought = error.code == .noBackendsOnline && !error.requirement.isEmpty
            return .fatal(
                isSought ? .cannotConnectNow : .connectionFailure,
                "failed to connect to a server for route \(name): \(error.message)",
                detail: troubles(error))
        }
    }

    private static func counted(_ error: PoolError) -> SessionError? {
        switch error.code {
        case .exhausted, .timedOut, .queueFull, .overloaded: .attachTooMany
        case .stopped, .cancelled: .shutdown
        default: .serverConnect
        }
    }

    /// What was last wrong with each server that is not well; nil if nothing is known of any.
    private func troubles(_ error: PoolError) -> String? {
        let told = error.causes.prefix(Self.mostTroubles).map { "\($0.backend): \($0.text)" }
        let more = error.causes.count - told.count
        let list = told.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
        return list.isEmpty ? nil : list
    }

    /// So many servers say what the matter is, if there are more.
    private static let mostTroubles = 8

    /// The server's own error behind a failed claim, for clients whose route says `client_fwd_error yes`.
    private func forwardedError(_ error: PoolError) -> ErrorFields? {
        // A client for replication has a server of its own, and what is wrong may be what it asked for.
        guard settings.clientForwardError || definition.replication != .none else { return nil }
        for cause in error.causes {
            guard let error = cause.underlying as? PostgresError,
                let state = error.sqlState.flatMap({ SQLState($0) })
            else { continue }
            return ErrorFields(
                severity: .fatal, code: state, message: error.message, detail: error.detail, hint: error.hint)
        }
        return nil
    }
}
