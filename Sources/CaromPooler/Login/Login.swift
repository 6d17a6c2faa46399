// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import CaromTLS
import Synchronization

/// The first stage of a session: startup packets, TLS, admission, authentication. It is freed when the next one begins.
final class Login: SessionStage {
    // Unchecked: a login runs on one thread, and no method is called while another is inside a property.

    private let session: ClientSession
    private let worker: Worker
    @exclusivity(unchecked) private var machine: StartupMachine
    @exclusivity(unchecked) private var handshake: Handshake?
    @exclusivity(unchecked) private var input: LoginInput
    @exclusivity(unchecked) private var output = OutputQueue()
    @exclusivity(unchecked) private var timer: ReactorTimer?
    @exclusivity(unchecked) private var exchange: LoginExchange?
    @exclusivity(unchecked) private var isOver = false
    @exclusivity(unchecked) private var wait: LoginWait?
    @exclusivity(unchecked) private var presence = PresenceCheck()

    /// How the handshake came about that is under way.
    private enum Handshake {
        case requested
        /// Without a request. Such a client must say that it means PostgreSQL (ALPN).
        case direct
    }

    private static let timerToken = 1

    /// - Parameters:
    ///   - input: what the client has sent already.
    ///   - deadline: when it must have logged in.
    init(_ session: ClientSession, _ input: LoginInput, until deadline: Deadline) {
        self.session = session
        self.input = input
        worker = session.worker
        machine = StartupMachine(session.listener.encryption)
        let timer = worker.reactor.makeTimer(self, token: Self.timerToken)
        self.timer = timer
        worker.reactor.arm(timer, at: deadline)
    }

    func handle(_ token: Int) {
        if isOver { return }
        do throws(SessionEnd) {
            if token == Self.timerToken { return try timeIsUp() }
            if !output.isEmpty { try flush() }
            repeat {
                if try advance() { break }
            } while try input.read(from: session.transport, by: worker.buffer)
            guard session.transport.isHungUp, wait?.isInVain == true else { return }
            try presence.run(session.transport, &output)
        } catch {
            session.end(error)
        }
    }

    private func timeIsUp() throws(SessionEnd) {
        guard case .delay(let exchange) = wait else { throw .loginTimedOut }
        tellFailure(of: exchange)
    }

    /// Deals with what has come. True: nothing is to be read now.
    private func advance() throws(SessionEnd) -> Bool {
        while !isOver, wait == nil {
            if let handshake, try !advance(handshake) { return true }
            let hasMoved = exchange == nil ? try readPacket() : try readAnswer()
            if !hasMoved { return false }
        }
        // What comes meanwhile is read afterwards.
        return true
    }

    // MARK: Startup

    private func readPacket() throws(SessionEnd) -> Bool {
        // Only where nothing is asked: who has to prove something must not learn who has been here lately from how long we take.
        if let known = worker.logins.recall(input.bytes, in: worker.snapshot),
            known.definition.authentication.method == .none
        {
            try machine.admit()
            input.remove(known.packet.count)
            try begin(LoginCaller(known.startup, packet: known.packet), known)
            return true
        }
        var consumed = 0
        let packet = input.bytes
        let step = try machine.next(in: packet.span.bytes, consumed: &consumed)
        input.remove(consumed)
        switch step {
        case .needMore: return false
        case .refuseEncryption: try send([UInt8(ascii: "N")])
        case .acceptTLS:
            try send([UInt8(ascii: "S")])
            try startTLS(.requested)
        case .beginTLS: try startTLS(.direct)
        case .cancel(let request):
            leave()
            worker.forwardCancel(request, from: session)
        case .begin(let startup): try begin(LoginCaller(startup, packet: Array(packet[..<consumed])), nil)
        }
        return true
    }

    /// What has been read belongs to the handshake of a client that begins with it; of others nothing has.
    private func startTLS(_ handshake: Handshake) throws(SessionEnd) {
        guard let context = session.listener.tls else {
            preconditionFailure("TLS was agreed on where there is none")
        }
        // The handshake goes past the queue.
        guard output.isEmpty else { throw .clientLeft }
        let hello = input.takeAll()
        do throws(TLSError) {
            try session.transport.startTLS(context, hello: hello)
        } catch {
            throw .cutOff("\(error)")
        }
        self.handshake = handshake
    }

    /// Takes the handshake further. True: it is done.
    private func advance(_ handshake: Handshake) throws(SessionEnd) -> Bool {
        do throws(TLSError) {
            guard try session.transport.handshake() == .done else { return false }
        } catch {
            // Whatever can be told about it TLS has told.
            throw .cutOff("\(error)")
        }
        self.handshake = nil
        guard let tls = session.transport.session else { return true }
        if handshake == .direct, tls.applicationProtocol == nil {
            throw .cutOff("a direct TLS handshake without ALPN, which must name \"postgresql\"")
        }
        worker.log.session(
            "\(tls.version) \(tls.cipher ?? "")\(tls.isResumed ? ", resumed" : "")",
            in: session.context(.startup))
        return true
    }

    private func begin(_ caller: LoginCaller, _ known: LoginMemory.Entry?) throws(SessionEnd) {
        session.identify(caller.startup)
        try refuseAfterFailures()
        try judge(caller, known)
    }

    /// Has the lines of the `hba_file` say what becomes of the client.
    private func judge(_ caller: LoginCaller, _ known: LoginMemory.Entry?) throws(SessionEnd) {
        guard let access = worker.snapshot.accessFiles.hostAccess else {
            return try admit(caller, nil, known)
        }
        switch try access.judge(caller.startup, over: session.transport, knowing: caller.facts) {
        case .decided(let decision): try admit(caller, decision, known)
        case .unknown(let fact):
            guard let news = try worker.loginServices.find(fact, about: session) else {
                return wait = .facts(caller)
            }
            try learn(news, of: caller)
        }
    }

    private func learn(_ news: LoginNews, of caller: LoginCaller) throws(SessionEnd) {
        switch news {
        case .roles(.roles(let roles)): caller.facts.roles = roles
        case .roles(.failed(let reason)): throw cannotAuthenticate("hba_role_query: \(reason)")
        case .host(let host): caller.facts.host = host
        case .secret, .keys, .verdict: preconditionFailure("no line of the hba_file wants to know this")
        }
        try judge(caller, nil)
    }

    private func admit(_ caller: LoginCaller, _ access: HostAccess.Decision?, _ known: LoginMemory.Entry?)
        throws(SessionEnd)
    {
        let definition = try session.findRoute(caller.startup, known)
        if let negotiation = caller.startup.negotiation() {
            var bytes: [UInt8] = []
            negotiation.encode(into: &bytes)
            try send(bytes)
        }
        let arrival = LoginArrival(
            caller: caller, definition: definition,
            authentication: try session.authentication(definition, access))
        if let query = arrival.authentication.query { return try look(up: query, for: arrival) }
        try challenge(arrival, nil, known)
    }

    private func challenge(_ arrival: LoginArrival, _ finding: AuthQueryFinding?, _ known: LoginMemory.Entry?)
        throws(SessionEnd)
    {
        let authenticator = try arrival.authentication.authenticator(
            for: arrival.caller.startup, over: session.transport.session.map { SecureChannel($0) },
            found: finding?.secret, mockSecret: worker.snapshot.mockSecret, using: worker.cryptography)
        guard var authenticator else {
            return try enter(arrival.definition, arrival.caller, known)
        }
        try ask(authenticator.begin())
        exchange = LoginExchange(arrival, authenticator, finding)
    }

    /// Has a server asked for what the client is to be checked against. Until it has answered nothing more is read.
    private func look(up query: AuthQueryDefinition, for arrival: LoginArrival) throws(SessionEnd) {
        let (worker, owner) = (worker, session.owner)
        let found = worker.router.inquiries.secrets(query, worker.loginServices.keyring).find(
            session.user, spawn: worker.spawn, then: { worker.tell(owner, .secret($0)) })
        guard let found else { return wait = .secret(arrival) }
        try take(found, for: arrival)
    }

    private func take(_ finding: AuthQueryFinding, for arrival: LoginArrival) throws(SessionEnd) {
        if let failure = finding.failure { throw cannotAuthenticate("auth_query: \(failure)") }
        try challenge(arrival, finding, nil)
    }

    private func cannotAuthenticate(_ reason: String) -> SessionEnd {
        worker.log.error(reason, in: session.context(.startup))
        return .fatal(.connectionFailure, "clients cannot be authenticated at the moment")
    }

    /// What the login waits for is there.
    func receive(_ news: LoginNews) {
        guard let waiting = wait, !isOver else { return }
        do throws(SessionEnd) {
            switch (waiting, news) {
            case (.facts(let caller), .roles), (.facts(let caller), .host):
                wait = nil
                try learn(news, of: caller)
            case (.secret(let arrival), .secret(let finding)):
                wait = nil
                try take(finding, for: arrival)
            case (.keys(let derivation), .keys(let keys)):
                wait = nil
                // Others from there may have failed while they were made.
                try refuseAfterFailures()
                try take(keys, of: derivation)
            case (.verdict, .verdict(let verdict)):
                wait = nil
                try refuseAfterFailures()
                try take(verdict)
            default: return
            }
        } catch {
            return session.end(error)
        }
        handle(0)
    }

    // MARK: Authentication

    /// Judges the next message of the authentication, which must be of type `p`.
    private func readAnswer() throws(SessionEnd) -> Bool {
        guard let body = try input.takeAnswer() else { return false }
        try refuseAfterFailures()
        guard let step = try exchange?.authenticator.receive(body) else { return false }
        try take(step)
        return true
    }

    private func take(_ step: AuthenticationStep) throws(SessionEnd) {
        guard let exchange else { return }
        switch step {
        case .ask(let request): try ask(request)
        case .derive(let what): try derive(what)
        case .consult(let inquiry): try consult(inquiry)
        case .accepted(let last):
            if let last { try ask(last) }
            try enter(
                exchange.definition, exchange.caller,
                worker.logins.recall(exchange.caller.packet, in: worker.snapshot),
                exchange.authenticator.passedKeys, exchange.finding?.secret.secret)
        case .refused: refuse(exchange)
        }
    }

    /// Whoever has tried too often is not heard, nor is whoever comes from there and has begun to log in before.
    private func refuseAfterFailures() throws(SessionEnd) {
        try worker.loginServices.failures.check(session.transport.peer, worker.snapshot.failureLimit)
    }

    private func refuse(_ exchange: LoginExchange) {
        let snapshot = worker.snapshot
        worker.loginServices.failures.count(from: session.transport.peer, snapshot.failureLimit)
        guard let delay = snapshot.settings.authDelay, let timer else { return tellFailure(of: exchange) }
        wait = .delay(exchange)
        worker.reactor.arm(timer, at: .now + delay)
    }

    /// Whatever is wrong with it, the client is told the same, after the same time. The log gets to know more, when it has been told.
    private func tellFailure(of exchange: LoginExchange) {
        session.end(
            .fatal(.invalidPassword, "password authentication failed for user \"\(session.user)\""))
        let reason =
            exchange.trouble ?? exchange.finding?.trouble ?? exchange.definition?.authentication.trouble(
                of: session.user)
            ?? session.whyNobodyMayCome(exchange.caller.startup).message ?? ""
        worker.log.session("login refused: \(reason)", in: session.context(.startup))
    }

    private func derive(_ what: SCRAMKeyDerivation) throws(SessionEnd) {
        if let known = worker.loginServices.keyring.recall(what) { return try take(known) }
        let isAbandoned = AbandonFlag()
        wait = .keys(LoginDerivation(what: what, isAbandoned: isAbandoned))
        let (worker, owner) = (worker, session.owner)
        worker.loginServices.keyring.derive(
            what, ifWanted: { !isAbandoned.isSet },
            then: { worker.tell(owner, .keys($0)) })
    }

    /// - Parameter derivation: what made the keys; nil if they were known.
    private func take(_ keys: SCRAMKeys, of derivation: LoginDerivation? = nil) throws(SessionEnd) {
        guard let step = exchange?.authenticator.receive(keys) else { return }
        if let derivation, step != .refused {
            worker.loginServices.keyring.remember(keys, of: derivation.what)
        }
        try take(step)
    }

    /// Has a service say what it thinks of the password. Until it has, nothing more is read.
    private func consult(_ inquiry: PasswordInquiry) throws(SessionEnd) {
        guard let consultation = worker.loginServices.consult(inquiry, about: session) else {
            throw cannotAuthenticate("too many passwords wait for their service")
        }
        wait = .verdict(consultation)
    }

    private func take(_ verdict: PasswordVerdict) throws(SessionEnd) {
        switch verdict {
        case .accepted: try take(.accepted(nil))
        case .unavailable(let reason): throw cannotAuthenticate(reason)
        case .refused(let reason):
            exchange?.trouble = reason
            try take(.refused)
        }
    }

    private func ask(_ request: AuthenticationRequest) throws(SessionEnd) {
        var bytes: [UInt8] = []
        request.encode(into: &bytes)
        try send(bytes)
    }

    // MARK: The end

    private func enter(
        _ definition: RouteDefinition?, _ caller: LoginCaller, _ known: LoginMemory.Entry?,
        _ passedKeys: SCRAMUserKeys? = nil, _ found: StoredSecret? = nil
    ) throws(SessionEnd) {
        guard let definition else { throw session.whyNobodyMayCome(caller.startup) }
        let destination = try session.enter(definition, caller.startup, known)
        if passedKeys != nil || found != nil { pass(passedKeys, found, to: destination) }
        // A greeting must not overtake what the client has not taken yet; a login's answers fit into any socket's buffer.
        guard output.isEmpty else { throw .clientLeft }
        leave()
        let opening = Opening(caller, remembered: known, worker.snapshot)
        try session.go(to: destination, opening, input: input.bytes)
    }

    /// What the client has proved opens servers on which it has the same name.
    private func pass(_ keys: SCRAMUserKeys?, _ secret: StoredSecret?, to destination: Destination) {
        guard case .relay(let route) = destination, route.key.user == session.user else { return }
        if let keys { route.history.passedKeys.keep(keys) }
        if let secret { route.history.passedKeys.keep(secret) }
    }

    private func send(_ bytes: [UInt8]) throws(SessionEnd) {
        do throws(SystemError) {
            try output.write(bytes, to: session.transport)
        } catch {
            throw .clientLeft
        }
    }

    private func flush() throws(SessionEnd) {
        do throws(SystemError) { try output.flush(to: session.transport) } catch { throw .clientLeft }
    }

    @discardableResult func leave() -> OutputQueue {
        isOver = true
        wait?.abandon()
        wait = nil
        if let timer { worker.reactor.disarm(timer) }
        // It holds on to this stage.
        timer = nil
        return output
    }

    func stop() { session.end(.shutdown) }
    func abort() { session.end(.shutdown) }
}
