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
    @exclusivity(unchecked) private var input: [UInt8] = []
    @exclusivity(unchecked) private var output = OutputQueue()
    @exclusivity(unchecked) private var timer: ReactorTimer?
    @exclusivity(unchecked) private var exchange: Exchange?
    @exclusivity(unchecked) private var isOver = false
    /// Keys are being made; the client's next message waits for them.
    @exclusivity(unchecked) private var derivation: Derivation?
    /// A server is asked what the client is to be checked against.
    @exclusivity(unchecked) private var arrival: Arrival?

    /// How the handshake came about that is under way.
    private enum Handshake {
        case requested
        /// Without a request. Such a client must say that it means PostgreSQL (ALPN).
        case direct
    }

    /// Keys that are being made for the client.
    private struct Derivation {
        let what: SCRAMKeyDerivation
        let isAbandoned: AbandonFlag
    }

    /// A client whose secret is being asked for.
    private struct Arrival {
        let startup: StartupMessage
        let packet: [UInt8]
        let definition: RouteDefinition?
        let authentication: ClientAuthentication
    }

    /// Tells another thread that a client has gone.
    private final class AbandonFlag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    /// What is under way once the client has said who it wants to be.
    private struct Exchange {
        let startup: StartupMessage
        let packet: [UInt8]
        /// Nil where nobody may come by these names.
        let definition: RouteDefinition?
        var authenticator: any Authenticator
        /// What was asked for.
        let finding: AuthQueryFinding?
    }

    private static let timerToken = 1
    /// The longest message of an authentication: PostgreSQL's limit for a password (PG_MAX_AUTH_TOKEN_LENGTH).
    private static var longestAnswer: Int { 65_535 }
    /// What is read at a time; a login is short.
    private static var readSize: Int { 16_384 }

    init(_ session: ClientSession) {
        self.session = session
        worker = session.worker
        machine = StartupMachine(session.listener.encryption)
        let timer = worker.reactor.makeTimer(self, token: Self.timerToken)
        self.timer = timer
        worker.reactor.arm(timer, at: .now + session.listener.loginTimeout)
    }

    func handle(_ token: Int) {
        if isOver { return }
        do throws(SessionEnd) {
            if token == Self.timerToken { throw .loginTimedOut }
            if !output.isEmpty { try flush() }
            if isWaiting { return }
            repeat {
                if try advance() { return }
            } while try read()
        } catch {
            session.end(error)
        }
    }

    /// Reads more. False: nothing is there now.
    private func read() throws(SessionEnd) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer(rebasing: worker.buffer[..<Self.readSize])
        do throws(SystemError) {
            switch try session.transport.read(into: buffer) {
            case .bytes(let count):
                input.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                return true
            case .wouldBlock: return false
            case .end: break
            }
        } catch {
            throw .clientLeft
        }
        throw .clientLeft
    }

    /// Deals with what has come. True: nothing is to be read now.
    private func advance() throws(SessionEnd) -> Bool {
        while !isOver, !isWaiting {
            if let handshake, try !advance(handshake) { return true }
            let hasMoved = exchange == nil ? try readPacket() : try readAnswer()
            if !hasMoved { return false }
        }
        // What comes while keys are made is read afterwards.
        return true
    }

    // MARK: Startup

    private func readPacket() throws(SessionEnd) -> Bool {
        // Only where nothing is asked: who has to prove something must not learn who has been here lately from how long we take.
        if let known = worker.logins.recall(input, in: worker.snapshot),
            known.definition.authentication.method == .none
        {
            try machine.admit()
            input.removeFirst(known.packet.count)
            try begin(known.startup, packet: known.packet, known)
            return true
        }
        var consumed = 0
        let packet = input
        let step = try machine.next(in: packet.span.bytes, consumed: &consumed)
        input.removeFirst(consumed)
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
        case .begin(let startup): try begin(startup, packet: Array(packet[..<consumed]), nil)
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
        let hello = input
        input = []
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

    private func begin(_ startup: StartupMessage, packet: [UInt8], _ known: LoginMemory.Entry?)
        throws(SessionEnd)
    {
        session.identify(startup)
        let access = try worker.snapshot.accessFiles.hostAccess?.admit(startup, over: session.transport)
        let definition = try session.findRoute(startup, known)
        if let negotiation = startup.negotiation() {
            var bytes: [UInt8] = []
            negotiation.encode(into: &bytes)
            try send(bytes)
        }
        let arrival = Arrival(
            startup: startup, packet: packet, definition: definition,
            authentication: try session.authentication(definition, access))
        if let query = arrival.authentication.query { return try look(up: query, for: arrival) }
        try challenge(arrival, nil, known)
    }

    private func challenge(_ arrival: Arrival, _ finding: AuthQueryFinding?, _ known: LoginMemory.Entry?)
        throws(SessionEnd)
    {
        let authenticator = try arrival.authentication.authenticator(
            for: arrival.startup, over: session.transport.session.map { SecureChannel($0) },
            found: finding?.secret, mockSecret: worker.snapshot.mockSecret, using: worker.cryptography)
        guard var authenticator else {
            return try enter(arrival.definition, arrival.startup, arrival.packet, known)
        }
        try ask(authenticator.begin())
        exchange = Exchange(
            startup: arrival.startup, packet: arrival.packet, definition: arrival.definition,
            authenticator: authenticator, finding: finding)
    }

    /// Has a server asked for what the client is to be checked against. Until it has answered nothing more is read.
    private func look(up query: AuthQueryDefinition, for arrival: Arrival) throws(SessionEnd) {
        let (worker, owner) = (worker, session.owner)
        let found = worker.router.query(query, worker.keyring).find(
            session.user, spawn: worker.spawn,
            then: { finding in worker.reactor.call { worker.session(of: owner)?.receive(finding) } })
        guard let found else { return self.arrival = arrival }
        try take(found, for: arrival)
    }

    private func take(_ finding: AuthQueryFinding, for arrival: Arrival) throws(SessionEnd) {
        if let failure = finding.failure {
            worker.log.error("auth_query: \(failure)", in: session.context(.startup))
            throw .fatal(.connectionFailure, "clients cannot be authenticated at the moment")
        }
        try challenge(arrival, finding, nil)
    }

    /// A server has answered what the client is to be checked against.
    func receive(_ finding: AuthQueryFinding) {
        guard let arrival, !isOver else { return }
        self.arrival = nil
        do throws(SessionEnd) {
            try take(finding, for: arrival)
        } catch {
            return session.end(error)
        }
        handle(0)
    }

    /// Something else must happen before the client's next message counts.
    private var isWaiting: Bool { derivation != nil || arrival != nil }

    // MARK: Authentication

    /// Judges the next message of the authentication, which must be of type `p`.
    private func readAnswer() throws(SessionEnd) -> Bool {
        guard let body = try takeAnswer() else { return false }
        guard let step = try exchange?.authenticator.receive(body) else { return false }
        try take(step)
        return true
    }

    private func take(_ step: AuthenticationStep) throws(SessionEnd) {
        guard let exchange else { return }
        switch step {
        case .ask(let request): try ask(request)
        case .derive(let what): try derive(what)
        case .accepted(let last):
            if let last { try ask(last) }
            try enter(
                exchange.definition, exchange.startup, exchange.packet,
                worker.logins.recall(exchange.packet, in: worker.snapshot),
                exchange.authenticator.passedKeys, exchange.finding?.secret.secret)
        case .refused: refuse(exchange)
        }
    }

    /// Whatever is wrong with it, the client is told the same, after the same time. The log gets to know more, when it has been told.
    private func refuse(_ exchange: Exchange) {
        session.end(
            .fatal(.invalidPassword, "password authentication failed for user \"\(session.user)\""))
        let reason =
            exchange.finding?.trouble ?? exchange.definition?.authentication.trouble(of: session.user)
            ?? session.whyNobodyMayCome(exchange.startup).message ?? ""
        worker.log.session("login refused: \(reason)", in: session.context(.startup))
    }

    private func derive(_ what: SCRAMKeyDerivation) throws(SessionEnd) {
        if let known = worker.keyring.recall(what) { return try take(known) }
        let isAbandoned = AbandonFlag()
        derivation = Derivation(what: what, isAbandoned: isAbandoned)
        let (worker, owner) = (worker, session.owner)
        worker.keyring.derive(
            what, ifWanted: { !isAbandoned.isSet.load(ordering: .relaxed) },
            then: { keys in worker.reactor.call { worker.session(of: owner)?.receive(keys) } })
    }

    /// The keys that were asked for are made.
    func receive(_ keys: SCRAMKeys) {
        guard let derivation, !isOver else { return }
        self.derivation = nil
        guard let step = exchange?.authenticator.receive(keys) else { return }
        if step != .refused { worker.keyring.remember(keys, of: derivation.what) }
        do throws(SessionEnd) {
            try take(step)
        } catch {
            return session.end(error)
        }
        handle(0)
    }

    private func take(_ keys: SCRAMKeys) throws(SessionEnd) {
        guard let step = exchange?.authenticator.receive(keys) else { return }
        try take(step)
    }

    private func takeAnswer() throws(SessionEnd) -> [UInt8]? {
        switch Framing.next(in: input.span.bytes, limit: Self.longestAnswer) {
        case .needMore: return nil
        case .invalid(let error): throw .fatal(.protocolViolation, "\(error)")
        case .frame(let header):
            guard header.tag == FrontendTag.password.rawValue else {
                if header.tag == FrontendTag.terminate.rawValue { throw .terminated }
                throw .fatal(
                    .protocolViolation,
                    "expected a password message, got message type \(tagText(header.tag))")
            }
            guard input.count >= header.length else { return nil }
            defer { input.removeFirst(header.length) }
            return Array(input[Framing.headerSize..<header.length])
        }
    }

    private func ask(_ request: AuthenticationRequest) throws(SessionEnd) {
        var bytes: [UInt8] = []
        request.encode(into: &bytes)
        try send(bytes)
    }

    // MARK: The end

    private func enter(
        _ definition: RouteDefinition?, _ startup: StartupMessage, _ packet: [UInt8],
        _ known: LoginMemory.Entry?, _ passedKeys: SCRAMUserKeys? = nil, _ found: StoredSecret? = nil
    ) throws(SessionEnd) {
        guard let definition else { throw session.whyNobodyMayCome(startup) }
        let destination = try session.enter(definition, startup, known)
        if passedKeys != nil || found != nil { pass(passedKeys, found, to: destination) }
        // A greeting must not overtake what the client has not taken yet; a login's answers fit into any socket's buffer.
        guard output.isEmpty else { throw .clientLeft }
        leave()
        let opening = Opening(startup, packet: packet, remembered: known, worker.snapshot)
        try session.go(to: destination, opening, input: input)
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
        derivation?.isAbandoned.isSet.store(true, ordering: .relaxed)
        derivation = nil
        arrival = nil
        if let timer { worker.reactor.disarm(timer) }
        // It holds on to this stage.
        timer = nil
        return output
    }

    func stop() { session.end(.shutdown) }
    func abort() { session.end(.shutdown) }
}
