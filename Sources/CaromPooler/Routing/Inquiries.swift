// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor
import CaromTCP
import Synchronization

/// All that servers are asked about users, each with a small pool of its own, which is made when the first client needs it.
final class Inquiries: Sendable {
    private struct State {
        var secrets: [AuthQuery] = []
        var roles: RoleQuery?

        func query(_ definition: AuthQueryDefinition) -> AuthQuery? {
            secrets.first { $0.definition.isSame(definition) }
        }
    }

    private let state = Mutex(State())
    private let reactors: [Reactor]
    private let quota: SharedQuota
    private let log: PoolerLog
    private let events: AsyncStream<Router.Event>.Continuation

    init(
        reactors: [Reactor], quota: SharedQuota, log: PoolerLog,
        events: AsyncStream<Router.Event>.Continuation
    ) {
        self.reactors = reactors
        self.quota = quota
        self.log = log
        self.events = events
    }

    /// Those that are under way.
    var all: [ServerInquiry] {
        state.withLock { $0.secrets.map(\.inquiry) + [$0.roles?.inquiry].compactMap(\.self) }
    }

    /// Of those.
    var pools: [Pool<PostgresConnector>] { all.map(\.pool) }

    /// Who asks for the secrets of clients in this way.
    func secrets(_ definition: AuthQueryDefinition, _ keyring: SCRAMKeyring) -> AuthQuery {
        if let known = state.withLock({ $0.query(definition) }) { return known }
        let made = AuthQuery(definition, inquiry(definition.question), keyring: keyring)
        let query = state.withLock { state in
            if let known = state.query(definition) { return known }
            state.secrets.append(made)
            events.yield(.inquiryOpened(made.inquiry.pool))
            return made
        }
        share(made.inquiry, isUsed: query === made)
        return query
    }

    /// Who asks for the roles of users in this way.
    func roles(_ question: ServerQuestion) -> RoleQuery {
        func isIt(_ query: RoleQuery?) -> Bool { query?.inquiry.question.isSame(question) == true }
        if let known = state.withLock({ isIt($0.roles) ? $0.roles : nil }) { return known }
        let made = RoleQuery(inquiry(question))
        let query = state.withLock { state in
            if let known = state.roles {
                if isIt(known) { return known }
                events.yield(.inquiryRetired(known.inquiry.pool))
            }
            state.roles = made
            events.yield(.inquiryOpened(made.inquiry.pool))
            return made
        }
        share(made.inquiry, isUsed: query === made)
        return query
    }

    /// What this snapshot does not ask any more is not asked.
    func apply(_ snapshot: Snapshot) {
        state.withLock { state in
            for query in state.secrets where !snapshot.asks(query.definition) {
                events.yield(.inquiryRetired(query.inquiry.pool))
            }
            state.secrets.removeAll { !snapshot.asks($0.definition) }
            if let roles = state.roles, snapshot.roleQuestion?.isSame(roles.inquiry.question) != true {
                events.yield(.inquiryRetired(roles.inquiry.pool))
                state.roles = nil
            }
        }
    }

    /// Tells a new pool what limits it shares; one that nobody will have is no member of the quota.
    private func share(_ inquiry: ServerInquiry, isUsed: Bool) {
        inquiry.pool.share(quota, limits: isUsed ? [inquiry.question.limit].compactMap { $0 } : [])
    }

    private func inquiry(_ question: ServerQuestion) -> ServerInquiry {
        let configuration = question.configuration
        let name = "\(question.name) \(configuration.database).\(configuration.user)"
        let connector = PostgresConnector(
            configuration, reactors: reactors, tcp: question.tcp, encryption: question.encryption,
            observer: ServerConnectionLog(
                log: log, user: configuration.user, database: configuration.database, isDebugging: false))
        var policy = Policy()
        // Answers are remembered, so few are asked for at a time.
        policy.maxSlots = Self.connections
        policy.perBackendMax = Self.connections
        policy.spares = 0
        policy.minSlots = 0
        policy.shrink = .afterIdle(.seconds(60))
        do throws(PolicyError) {
            let pool = try Pool(
                name: name, resolver: question.resolver, connector: connector, policy: policy,
                logger: log.libraryLogger(label: "pool \(name)", isDebugging: false),
                clock: ReactorPoolClock(reactors[0]), executor: reactors[0])
            return ServerInquiry(question, pool: pool)
        } catch {
            preconditionFailure("the policy of an inquiry is a constant: \(error)")
        }
    }

    private static let connections = 4
}
