// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import Glibc

/// One client from accept to its end: who it is, its socket, and the stage that it is in. It lives on its worker's thread.
final class ClientSession {
    let id: ConnectionID
    /// The number by which server connections remember their last user.
    let owner: UInt64
    // Unowned: the worker holds its sessions.
    unowned(unsafe) let worker: Worker
    let transport: Transport
    let listener: ListenerDefinition
    /// For the time that the client was here.
    let startedAt: Deadline
    @exclusivity(unchecked) private(set) var stage: (any SessionStage)?

    /// As the client gave them; empty until it has.
    @exclusivity(unchecked) private(set) var user = ""
    @exclusivity(unchecked) private(set) var database = ""
    @exclusivity(unchecked) var cancelKey: CancelKey?
    @exclusivity(unchecked) private(set) var places = ClientPlaces()
    // Small ones last, behind the small ones of the places: ten thousand clients are no rarity.
    /// Errors of our own carry the client's id (`client_show_id`).
    @exclusivity(unchecked) var showsID = true
    @exclusivity(unchecked) private var isEnding = false
    /// Who it is was asked for: it has more than said so.
    @exclusivity(unchecked) var hasProved = false
    /// It counts as one that has not logged in.
    @exclusivity(unchecked) private(set) var isLoggingIn = false

    /// - Parameter state: of a client that another process has served until now.
    init(
        worker: Worker, transport: Transport, owner: UInt64, listener: ListenerDefinition,
        as state: ClientState? = nil
    ) {
        id = state?.id ?? ConnectionID(.client, using: &worker.random)
        startedAt = state.map { Deadline(nanoseconds: $0.startedAt) } ?? .now
        self.worker = worker
        self.transport = transport
        self.owner = owner
        self.listener = listener
    }

    // MARK: Stages

    /// Begins with the login, or with what a proxy says of the client. It may have sent something already.
    func begin() {
        isLoggingIn = true
        let deadline = Deadline.now + listener.loginTimeout
        if listener.settings.proxies.isEmpty { return beginLogin(LoginInput(), until: deadline) }
        let greeting = ProxyGreeting(self, until: deadline)
        enter(greeting)
        greeting.handle(0)
    }

    /// Begins with the login of a client whose address is known.
    ///
    /// - Parameters:
    ///   - input: what has been read already.
    ///   - proxy: the proxy that it came by.
    func beginLogin(_ input: LoginInput, until deadline: Deadline, by proxy: SocketAddress? = nil) {
        let way = proxy.map { " by the proxy \($0)" } ?? ""
        worker.log.session("new client connection from \(transport.peer)\(way)", in: context(.startup))
        let login = Login(self, input, until: deadline)
        enter(login)
        login.handle(0)
    }

    /// The login is over, and the client goes where its route leads. `input` is what it sent behind its last message.
    func go(to destination: Destination, _ arrival: Opening, input: [UInt8]) throws(SessionEnd) {
        leaveLogin()
        switch destination {
        case .relay(let route) where worker.isSuspended:
            enter(HeldArrival(self, route, arrival, input: input))
        case .relay(let route):
            route.counters[worker.reactor.index].count(.login)
            let record = RelayRecord(input: input, choice: route.choice(of: arrival.startup))
            let relay = Relay(self, route: route, opening: arrival, record)
            enter(relay)
            try relay.begin()
            relay.handle(ClientLeg.Token.client)
        case .console(let context, let role):
            let console = ConsoleStage(self, context, role)
            enter(console)
            try console.begin(arrival.startup, input: input)
            console.handle(0)
        }
    }

    /// Ends the session: what it holds goes back, the client is told what is to be told, the socket is closed.
    ///
    /// - Parameter cause: why, where the client cannot be told.
    func end(_ end: SessionEnd, because cause: SessionEnd? = nil) {
        if end == .handedOver { return Transfer.begin(self) }
        if isEnding { return }
        isEnding = true
        let error = SessionError(cause ?? end, isLoggingIn: isLoggingIn, isAdmitted: places.isAdmitted)
        if let error { count(error) }
        if end == .loginTimedOut { worker.presence.countLate() }
        leaveLogin()
        let waiting = stage?.leave() ?? OutputQueue()
        forgetKey()
        if case .cutOff(let reason) = end { worker.log.error(reason, in: context(.cleanup)) }
        let farewell = Farewell(
            self, fields: end.farewell(loginTimeout: listener.loginTimeout), behind: waiting)
        enter(farewell)
        places.giveBack(worker, database: database, user: user)
        farewell.begin()
    }

    /// Something has gone wrong for the client.
    func count(_ error: SessionError) { worker.router.errors.count(error, of: places.route?.key) }

    private func forgetKey() {
        if let cancelKey { worker.cancels.remove(cancelKey) }
        cancelKey = nil
    }

    /// Another process has the client: this one lets go of it, and the client hears nothing of that.
    func leaveQuietly() {
        isEnding = true
        forgetKey()
        places.giveBack(worker, database: database, user: user)
        GivenSocket.letGo(of: transport)
        SessionProbes.end(self)
        stage = nil
        worker.forget(self)
    }

    /// Ends the session of a client that has not logged in, for want of room. It is told, and not waited for: others need its
    /// descriptor.
    func displace(limit: Int) {
        end(
            .fatal(
                .tooManyConnections, "too many clients that have not logged in",
                hint: "\(limit) are allowed (client_max_routing); the one that came first has to go"))
        stage?.abort()
    }

    private func leaveLogin() {
        if isLoggingIn { worker.leaveLogin(self) }
        isLoggingIn = false
    }

    /// The socket is closed and the client forgotten.
    func finish() {
        transport.close()
        let microseconds = startedAt.duration(to: .now).nanoseconds / 1_000
        worker.log.session(
            "client disconnected (working time: \(microseconds) microseconds)", in: context(.main))
        SessionProbes.end(self)
        stage = nil
        worker.forget(self)
    }

    /// What the login waits for is there.
    func receive(_ news: LoginNews) { (stage as? Login)?.receive(news) }

    /// What the console waited for is there.
    func receive(_ result: ConsoleResult) { (stage as? ConsoleStage)?.finish(result) }

    /// Begins another stage.
    func enter(_ stage: any SessionStage) {
        self.stage = stage
        transport.setHandler(stage, token: 0)
    }

    /// Lets the session end itself as soon as it holds no server.
    func stop() { stage?.stop() }

    /// Routes are others than before.
    func routesChanged() {
        if let relay = stage as? Relay {
            let definition = worker.snapshot.definition(of: relay.route.key.pattern)
            if let definition, relay.route.definition.replication == .none {
                relay.limit(to: definition.limits)
            }
            relay.obey(.look)
        }
        if let console = places.console, !leads(to: console) { end(Self.routeRemoved("the console")) }
    }

    /// Whether a client of this name would get to the console now, and might do the same there.
    private func leads(to console: Admission) -> Bool {
        let definition = worker.snapshot.route(database: database, user: user)
        guard let definition, definition.console === console else { return false }
        return places.role == nil || places.role == consoleRole(definition)
    }

    /// What the client may do at the console; nil if it may not come in.
    private func consoleRole(_ definition: RouteDefinition) -> ConsoleRole? {
        var proof = ConsoleRole.Proof.authenticated
        if !hasProved {
            let caller = TransportFacts(of: transport)?.peerProcess
            proof = caller?.user == geteuid() ? .owner : .none
        }
        return ConsoleRole(of: user, proof, worker.snapshot.settings)
    }

    /// Where the client goes on whose route has changed.
    ///
    /// - Throws: that there is nothing of the kind.
    func successor(of route: Route) throws(SessionEnd) -> Route {
        if let next = worker.router.successor(of: route, database: database, user: user) { return next }
        throw Self.routeRemoved("\(route.key.pattern)")
    }

    private static func routeRemoved(_ name: String) -> SessionEnd {
        .fatal(
            .adminShutdown, "terminating connection due to administrator command",
            detail: "The route \(name) was removed, or leads to another database or user.")
    }

    /// Ends the session whatever it is doing.
    func abort() { stage?.abort() }

    // MARK: Identity and limits

    /// The client has said who it wants to be.
    func identify(_ startup: StartupMessage) {
        user = startup.user
        database = startup.database
    }

    /// Lets the client in if there is room, and finds the definition of its route.
    ///
    /// - Parameter remembered: what the startup packet is known to mean.
    /// - Returns: nil if nobody may come by these names; see ``whyNobodyMayCome(_:)``.
    func findRoute(_ startup: StartupMessage, _ remembered: LoginMemory.Entry?) throws(SessionEnd)
        -> RouteDefinition?
    {
        let limit = worker.snapshot.settings.clientMax
        guard worker.admission.enter(limit: limit) else {
            throw .fatal(.tooManyConnections, "too many clients: client_max is \(limit ?? 0)")
        }
        places.isAdmitted = true
        let found =
            remembered?.definition ?? worker.snapshot.route(database: startup.database, user: startup.user)
        return found?.authentication.method == .block ? nil : found
    }

    /// What the client is to prove, now that its route is known. Nil: there is none; then the client goes through what others do.
    ///
    /// - Parameter access: what its line in the `hba_file` says. Where it wants a password that is not asked for, this throws the refusal.
    func authentication(
        _ definition: RouteDefinition?, _ access: HostAccess.Decision?
    ) throws(SessionEnd) -> ClientAuthentication {
        let mocks = worker.snapshot.mocks(by: access?.method)
        let found = definition?.authentication(by: access?.method, of: user)
        let asked = found ?? mocks.authentication(database: database, user: user)
        let authentication = asked.following(access?.service)
        showsID = authentication.showsID
        hasProved = access?.isProven == true || authentication.method != .none
        if access?.method?.needsPassword == true, authentication.method == .none {
            throw .fatal(
                .invalidAuthorization, "a password is required, and the route asks for none",
                hint: "authentication \"hba\" asks for what the line in the hba_file says")
        }
        return authentication
    }

    /// The refusal that a client without a route is told once it has proved who it is, and the log in any case.
    func whyNobodyMayCome(_ startup: StartupMessage) -> SessionEnd {
        worker.snapshot.route(database: startup.database, user: startup.user) == nil
            ? .noRoute(startup) : .blocked(startup)
    }

    /// Gives the authenticated client its place where its route leads.
    func enter(
        _ definition: RouteDefinition, _ startup: StartupMessage, _ remembered: LoginMemory.Entry?
    ) throws(SessionEnd) -> Destination {
        let limit = definition.clientMax
        if let console = definition.console {
            // The configuration may have changed during the login.
            guard leads(to: console), startup.replication == .none else { throw .noRoute(startup) }
            guard console.enter(limit: limit) else { throw Self.noRoom("the console", limit) }
            places.console = console
            guard let role = consoleRole(definition) else {
                throw .fatal(
                    .insufficientPrivilege, "not allowed",
                    hint: "admin_users and stats_users say who may use the console")
            }
            places.role = role
            return .console(worker.console, role)
        }
        if worker.router.isDisabled(startup.database) {
            throw .fatal(
                .cannotConnectNow, "database does not allow connections: \(startup.database)",
                hint: "an operator has disabled it (DISABLE); ENABLE lets clients in again")
        }
        let (route, hasRoom): (Route, Bool)
        if let remembered, let known = worker.router.enter(remembered.route) {
            (route, hasRoom) = (remembered.route, known)
        } else {
            guard
                let found = worker.router.enter(definition.settings.pattern, startup)
            else { throw .noRoute(startup) }
            (route, hasRoom) = found
        }
        guard hasRoom else { throw Self.noRoom("route \(route.name)", limit) }
        places.route = route
        try worker.router.census.admit(database: database, user: user, route.definition.clientLimits)
        places.isCounted = true
        return .relay(route)
    }

    private static func noRoom(_ place: String, _ limit: Int?) -> SessionEnd {
        .fatal(.tooManyConnections, "too many clients for \(place): client_max is \(limit ?? 0)")
    }

    // MARK: Cancels

    /// Makes the client's key; with it a cancel finds the client.
    func registerForCancels(_ version: ProtocolVersion, as processID: UInt32? = nil) -> BackendKeyData {
        let key = worker.cancels.register(
            owner, on: worker, version: version, as: processID, using: &worker.random)
        cancelKey = key
        return key.data
    }

    /// The server that a cancel with this key is meant for; see ``Relay/beginCancel()``.
    func relay(forCancel key: CancelRequest) -> Relay? {
        cancelKey?.matches(key) == true ? stage as? Relay : nil
    }

    // MARK: For the console

    /// What tables say of the client; nil once it is on its way out.
    var entry: ConsoleClient? { ConsoleClient(self) }

    /// Its route leads to servers of one of these databases.
    func isOnServers(of databases: Set<String>) -> Bool {
        places.route.map { databases.contains($0.clientDatabase) } ?? false
    }

    /// An operator ends the session.
    func kill() {
        let reason = SessionEnd.fatal(.adminShutdown, "terminating connection due to administrator command")
        if !isEnding { count(.clientKilled) }
        if let relay = stage as? Relay { relay.end(reason) } else { end(reason) }
    }

    // MARK: Log and errors

    /// What a log line about this session says it is about. Put together for each line: an idle client keeps nothing for it.
    func context(_ phase: LogPhase, server: PostgresConnection? = nil) -> LogContext {
        var context = LogContext(phase)
        context.clientID = id
        context.serverID = server?.id
        context.user = user.isEmpty ? nil : user
        context.database = database.isEmpty ? nil : database
        context.clientHost = transport.peer.host
        context.clientPort = Int(transport.peer.port)
        context.serverHost = server?.backend.address.description
        return context
    }

    /// The client is greeted.
    func logGreeting(_ route: Route) {
        worker.log.session("route '\(database).\(user)' to \(route.name)", in: context(.setup))
        SessionProbes.begin(self)
    }

    /// `count` answers that are this error each.
    func answers(_ fields: ErrorFields, count: Int) -> [UInt8] {
        var answer: [UInt8] = []
        describe(fields).encode(into: &answer)
        answer.append(contentsOf: ReadyForQuery.idleMessage)
        return Array(repeatElement(answer, count: count).joined())
    }

    /// Writes a line for each query in a chunk (`log_query`). Values of parameters are never logged.
    func logQueries(
        in chunk: RawSpan, from position: Int, _ walker: FrameWalker, _ server: PostgresConnection,
        _ route: Route
    ) {
        guard worker.log.isLoggingQueries || route.definition.logsQueries else { return }
        let limits = worker.snapshot.clientFrames
        for query in QueryTexts.collect(chunk, from: position, walker, limits: limits) {
            worker.log.query(query, in: context(.main, server: server), ofRoute: true)
        }
    }

    /// Puts the client's id into an error of our own.
    func describe(_ fields: ErrorFields) -> ErrorFields {
        guard showsID else { return fields }
        return ErrorFields(
            severity: fields.severity ?? .error, code: fields.code ?? .internalError,
            message: "carom: \(id): \(fields.message ?? "unknown error")", detail: fields.detail,
            hint: fields.hint)
    }
}
