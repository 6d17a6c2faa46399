// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor

/// What the configuration says about the clients of one route, and what follows from it.
///
/// A reference, because its settings are many: a session that handed them from step to step would carry copies of them all
/// its life.
final class RouteDefinition: Sendable {
    /// Where its clients go after their login.
    enum Target: Sendable {
        /// To the servers of a storage.
        case servers(any Resolver)
        /// To the console; counts its clients.
        case console(Admission)
    }

    let settings: RouteSettings
    // Asked for at each connection or transaction; taken out of the settings, which are large, once.
    /// A client keeps its server between transactions (session pooling).
    let keepsServer: Bool
    /// What its clients are there for; replication is a definition of its own, see ``init(of:serving:)``.
    let replication: StartupMessage.Replication
    /// When a server is reset before another client of the route uses it.
    let cleaningRule: CleaningRule
    /// What takes everything out of a server's session.
    let resetQuery: ResetQuery
    /// A server is reset when its client leaves.
    let resetsOnLeave: Bool
    /// Its pool has servers before the first client comes and after the last one has gone: there is only one such pool,
    /// because no client chooses its names.
    let keepsPool: Bool
    let clientMax: Int?
    /// Limits of clients that it shares with other routes.
    let clientLimits: ClientLimits
    /// The same of connections to servers.
    let serverLimits: ServerLimits
    /// Which servers will do for its clients.
    let sessionTarget: TargetSessionAttributes
    /// They may choose for themselves.
    let choosesTarget: Bool
    let logsQueries: Bool
    /// What its clients send is logged, or kept for another server.
    let watchesRequests: Bool
    /// Requests at a server that answers nothing are given up.
    let checksBusy: Bool
    /// Who asks its servers how far they lag; nil if nobody does.
    let watchdog: WatchdogSettings?
    /// Servers that ask for a password itself get it in the open, too.
    let allowsCleartextPassword: Bool
    /// What its clients may take; nil if nothing is watched.
    let limits: TimeLimits?
    let authentication: ClientAuthentication
    /// How the pools of the route behave.
    let policy: Policy
    let target: Target
    let tcp: TCPOptions
    /// Of connections to the servers; nil if they are in the open.
    let encryption: ServerEncryption?
    let access: ServerAccess
    /// Where secrets of users come from, but for a password of the route.
    let sources: SecretSources
    /// What clients go through by what their line in the `hba_file` says, for `authentication "hba"`.
    private let choices: [AuthenticationMethod: ClientAuthentication]

    /// Counts the clients of a route that leads to the console; nil for one that leads to servers.
    var console: Admission? {
        switch target {
        case .servers: nil
        case .console(let clients): clients
        }
    }

    /// Whether a definition of these would be the same as this one.
    func isStillTrue(
        _ settings: RouteSettings, _ clientLimits: ClientLimits, _ serverLimits: ServerLimits,
        _ policy: Policy, _ access: ServerAccess, _ watchdog: WatchdogSettings?
    ) -> Bool {
        settings == self.settings && clientLimits == self.clientLimits && serverLimits == self.serverLimits
            && policy == self.policy
            && access == self.access && watchdog == self.watchdog
    }

    /// Whether secrets are asked for in this way.
    func asks(_ query: AuthQueryDefinition?) -> Bool {
        guard let query, let own = sources.query else { return query == nil && sources.query == nil }
        return query.isSame(own)
    }

    /// All ways in which secrets are asked for.
    var queries: [AuthQueryDefinition] {
        [sources.query].compactMap(\.self) + choices.values.compactMap(\.query)
    }

    /// What clients go through whose line in the `hba_file` says so. For MD5 that is SCRAM where a verifier is all that is known, as in
    /// PostgreSQL.
    func authentication(by method: AuthenticationMethod?, of user: String? = nil) -> ClientAuthentication {
        guard let method, let choice = choices[method] else { return authentication }
        guard method == .md5 else { return choice }
        let listed = user.flatMap { sources.users?[$0]?.secret }
        if case .scram? = listed ?? (settings.password?.reveal()).map({ StoredSecret($0) }) {
            return choices[.scramSHA256] ?? choice
        }
        return choice
    }

    /// - Parameters:
    ///   - sources: of secrets.
    ///   - choices: the same for each method that a line of the `hba_file` may say, for `authentication "hba"`.
    ///   - previous: the same route before.
    ///   - mockSecret: see ``ClientAuthentication``.
    init(
        _ settings: RouteSettings, clientLimits: ClientLimits, serverLimits: ServerLimits, policy: Policy,
        target: Target, sessionTarget: TargetSessionAttributes, checksBusy: Bool = false,
        watchdog: WatchdogSettings? = nil, allowsCleartextPassword: Bool = false, tcp: TCPOptions,
        encryption: ServerEncryption? = nil, access: ServerAccess,
        sources: SecretSources = SecretSources(), choices: [AuthenticationMethod: SecretSources] = [:],
        previous: RouteDefinition?,
        mockSecret: [UInt8], cryptography: some ProtocolCryptography
    ) {
        self.settings = settings
        replication = .none
        keepsServer = settings.pool == .session
        cleaningRule = CleaningRule(
            onEveryChange: settings.pool != .session && settings.poolDiscard == true,
            ifTainted: settings.poolDiscard != false)
        resetQuery = settings.hooks.resetQuery.map { ResetQuery($0) } ?? .discardAll
        resetsOnLeave = settings.pool == .session && settings.poolDiscard != false
        // Where a client must come first with its keys, there is nothing to open servers with before.
        let needsClient =
            settings.serverPassword == nil
            ? sources.users != nil || sources.query != nil : settings.serverPassword?.form == .scramVerifier
        keepsPool = settings.minPoolSize > 0 && settings.pattern.names != nil && !needsClient
        clientMax = settings.clientMax
        self.clientLimits = clientLimits
        self.serverLimits = serverLimits
        self.sessionTarget = sessionTarget
        choosesTarget = settings.clientTargetSessionAttributes
        logsQueries = settings.logQuery
        watchesRequests = settings.logQuery || settings.readRetry > 0
        self.checksBusy = checksBusy
        self.watchdog = watchdog
        self.allowsCleartextPassword = allowsCleartextPassword
        limits = TimeWatch.isNeeded(for: settings.limits) ? settings.limits : nil
        self.sources = sources
        authentication = ClientAuthentication(
            settings, users: sources.users, query: sources.query,
            previous: previous.map { ($0.settings, $0.authentication) },
            mockSecret: mockSecret,
            cryptography: cryptography)
        var built: [AuthenticationMethod: ClientAuthentication] = [:]
        for (method, sources) in choices {
            var chosen = settings
            chosen.authentication = method
            built[method] = ClientAuthentication(
                chosen, users: sources.users, query: sources.query, followsLine: true,
                previous: previous.map { ($0.settings, $0.authentication(by: method)) },
                mockSecret: mockSecret, cryptography: cryptography)
        }
        self.choices = built
        self.policy = policy
        self.target = target
        self.tcp = tcp
        self.encryption = encryption
        self.access = access
    }

    /// The same for one client for replication: it has its server as long as it is there, however the others of the route pool, and
    /// nothing ends what goes on for days.
    init(of other: RouteDefinition, serving replication: StartupMessage.Replication) {
        var settings = other.settings
        settings.pool = .session
        self.settings = settings
        self.replication = replication
        keepsServer = true
        cleaningRule = CleaningRule(onEveryChange: false, ifTainted: false)
        resetQuery = other.resetQuery
        resetsOnLeave = false
        keepsPool = false
        limits = nil
        policy = other.policy.forReplication
        clientMax = other.clientMax
        clientLimits = other.clientLimits
        serverLimits = other.serverLimits.forReplication
        sessionTarget = other.sessionTarget
        choosesTarget = other.choosesTarget
        logsQueries = other.logsQueries
        watchesRequests = other.logsQueries
        checksBusy = false
        watchdog = nil
        allowsCleartextPassword = other.allowsCleartextPassword
        authentication = other.authentication
        target = other.target
        tcp = other.tcp
        encryption = other.encryption
        access = other.access
        sources = other.sources
        choices = other.choices
    }
}

/// Where secrets of users come from, but for a password of the route.
struct SecretSources: Sendable {
    /// Of the route's `auth_file`.
    var users: UserListFile?
    /// Of the route's `auth_query`.
    var query: AuthQueryDefinition?
}
