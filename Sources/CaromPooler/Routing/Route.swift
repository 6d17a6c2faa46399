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
    }

    let key: Key
    let definition: RouteDefinition
    let connector: PostgresConnector
    let pool: Pool<PostgresConnector>
    let admission = Admission()
    /// One per worker, in the workers' order; each is written by its worker only.
    let counters: [Counters]
    /// Which session settings servers of this route have accepted.
    let accepted = AcceptedParameters()
    /// The statements that its clients have prepared.
    let statements: StatementRegistry
    /// The router has given the route up. Set under the router's lock.
    private let isAbandoned = Atomic<Bool>(false)
    /// When the last client left, in nanoseconds of `Deadline`.
    private let leftAt = Atomic<UInt64>(.max)

    init(
        key: Key, definition: RouteDefinition, connector: PostgresConnector, pool: Pool<PostgresConnector>,
        workers: Int, statementMemory: StatementMemory
    ) {
        self.key = key
        self.definition = definition
        self.connector = connector
        self.pool = pool
        statements = StatementRegistry(memory: statementMemory)
        counters = (0..<workers).map { _ in Counters() }
    }

    var settings: RouteSettings { definition.settings }

    /// `database.user`, for people.
    var name: String { "\(key.database).\(key.user)" }

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

    /// Admits one more client, unless `client_max` of the route is reached.
    func enter() -> Bool { admission.enter(limit: definition.clientMax) }

    /// A client that was admitted has gone.
    func leave(at now: Deadline) {
        leftAt.store(now.nanoseconds, ordering: .relaxed)
        admission.leave()
    }

    /// Whether there has been no client from then on.
    func isUnused(since then: Deadline) -> Bool {
        admission.count == 0 && leftAt.load(ordering: .relaxed) <= then.nanoseconds
    }

    /// Where a client's prepared statements come from; nil in session pooling.
    func origin(ofStatementsOf user: UInt64) -> ClientRequests.Origin? {
        if definition.keepsServer { return nil }
        return ClientRequests.Origin(
            registry: statements, user: user, limit: settings.maxPreparedStatements)
    }

    /// What to tell a client that gets no server.
    func refusal(_ error: PoolError) -> SessionEnd {
        if let fields = forwardedError(error) { return .refused(fields) }
        switch error.code {
        case .exhausted, .timedOut, .queueFull, .overloaded:
            return .fatal(
                .tooManyConnections, "too many active clients for route \(name): \(error.message)",
                hint: "raise pool_size or pool_timeout, or let transactions end sooner")
        case .stopped, .cancelled:
            return .fatal(.adminShutdown, "the pooler is shutting down")
        default:
            return .fatal(
                .connectionFailure, "failed to connect to a server for route \(name): \(error.message)",
                detail: troubles(error))
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
        guard settings.clientForwardError else { return nil }
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
