// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The stage of a session in which its client's queries run: the shell around `RelayMachine`.
///
/// The loop calls it when either socket has something; no task is suspended while a client thinks. A query's way, top to bottom:
/// ``handle(_:)`` → ``pump()`` → ``receiveFromClient()`` → ``forward(_:)`` → ``sendToServer(_:of:)``, and back:
/// ``handle(_:)`` → ``pump()`` → ``receiveFromServer(_:)`` → ``release()``.
final class Relay: SessionStage {
    // Unowned: the session holds its stage. Unchecked: a session runs on one thread, and no method is called while another
    // is inside a property; the run-time check would be on the path of every message.
    @exclusivity(unchecked) private unowned(unsafe) let session: ClientSession
    private unowned(unsafe) let worker: Worker
    private let client: Transport
    /// What was configured when the client came.
    private let snapshot: Snapshot
    let route: Route
    private let counters: Counters

    @exclusivity(unchecked) private var machine: RelayMachine
    @exclusivity(unchecked) private var attachment = Attachment()
    /// Bytes from the client that wait for more bytes, or for a server.
    @exclusivity(unchecked) private var input: [UInt8] = []
    /// The kept bytes can be worked on, though the socket has brought nothing new.
    @exclusivity(unchecked) private var inputIsReady = false
    /// Bytes that the client has not taken yet.
    @exclusivity(unchecked) private var output = OutputQueue()
    /// The client has closed its side, and is still owed answers.
    @exclusivity(unchecked) private var clientHasClosed = false
    /// Cancels on their way to the server: until they have arrived the server is not let go.
    @exclusivity(unchecked) private var cancelsUnderWay = 0
    /// Servers that were lost before they had confirmed the client's settings, one after the other.
    @exclusivity(unchecked) private var lostInARow = 0
    /// The beginning, until the client is greeted.
    @exclusivity(unchecked) private var opening: Opening?
    /// Where the pool leaves the server that the client waits for; made when it has to wait for the first time.
    @exclusivity(unchecked) private var mailbox: ClaimMailbox?
    /// What the mailbox wakes; it holds on to this stage until the stage is left.
    @exclusivity(unchecked) private var signal: Waker?
    @exclusivity(unchecked) private var isStopping = false
    @exclusivity(unchecked) private var hasLeft = false

    /// What the loop says has happened.
    enum Token {
        static let client = 0
        static let server = 1
        /// A server was delivered, or something else asks for a look.
        static let signal = 2
    }

    /// How often either side is served in a row: a transfer that never waits must not keep the worker's other clients waiting.
    private static var roundsInARow: Int { 8 }
    /// Servers that may be lost in a row while they are prepared for one request; then the client is told.
    private static var preparationAttempts: Int { 3 }

    init(_ session: ClientSession, route: Route, startup: StartupMessage, input: [UInt8]) {
        self.session = session
        worker = session.worker
        client = session.transport
        snapshot = session.worker.snapshot
        self.route = route
        counters = route.counters[session.worker.reactor.index]
        machine = RelayMachine(
            keepsServer: route.settings.pool == .session, parameters: SessionParameters(.pooled))
        self.input = input
        opening = Opening(startup)
    }

    // MARK: Events

    /// Begins the stage.
    func begin() throws(SessionEnd) { try open() }

    func handle(_ token: Int) {
        // A server's socket may call until somebody else uses it.
        if hasLeft { return }
        do throws(SessionEnd) {
            if token != Token.client { try look(at: token) }
            try pump()
        } catch {
            end(error)
        }
    }

    /// Passes on what is there, a bounded number of times.
    private func pump() throws(SessionEnd) {
        var rounds = Self.roundsInARow
        while rounds > 0 {
            var moved = false
            if inputIsReady || client.isReadable, mayReadClient {
                try receiveFromClient()
                moved = true
            }
            if let server = attachment.server, output.isEmpty, server.transport.isReadable {
                try receiveFromServer(server)
                moved = true
            }
            if try flush() { moved = true }
            if !moved { return try noticeHangUp() }
            rounds -= 1
        }
        worker.reactor.again(self, token: Token.client)
    }

    /// What came from elsewhere than the client's socket.
    @inline(never)
    private func look(at token: Int) throws(SessionEnd) {
        if token == Token.server, attachment.server == nil {
            // A parked server that speaks or hangs up is of no use, if it is still here; the pool looks at it.
            guard attachment.reclaim(), let server = attachment.server else { return }
            if server.isQuiet { attachment.park() } else { attachment.release() }
            return
        }
        try receiveDelivered()
        if isStopping, attachment.server == nil, !attachment.isWaiting { throw .shutdown }
    }

    // MARK: The opening

    /// Goes on with what comes before the greeting, as `Opening` decides, as far as that is possible now.
    private func open() throws(SessionEnd) {
        while let opening {
            switch try opening.next(route.accepted, options: route.settings.options) {
            case .learn:
                if attachment.server == nil, try !attach() { return }
                guard let server = attachment.server else { return }
                route.accepted.learn(server.state.initialParameters)
            case .greet(let entry):
                machine.confirm(entry.parameters)
                try greet(entry, opening)
            case .ask(let wanted):
                machine.parameters = wanted
                // Without a server at hand the client is greeted all the same: a login never waits for one.
                if attachment.server == nil { _ = try attach(mayWait: false) }
                guard let server = attachment.server else {
                    return try greet(route.accepted.unconfirmed(wanted), opening)
                }
                prepare(server)
                if machine.phase == .preparing { return }
                try greet(route.accepted.record(wanted, became: wanted), opening)
            }
        }
    }

    private func greet(_ entry: AcceptedParameters.Entry, _ opening: Opening) throws(SessionEnd) {
        self.opening = nil
        releaseAfterOpening()
        var bytes = entry.greeting
        session.registerForCancels(opening.version).encode(into: &bytes)
        bytes.append(contentsOf: Self.readyForQuery)
        try send(bytes)
        inputIsReady = !input.isEmpty
        session.logGreeting(route)
    }

    private func releaseAfterOpening() {
        machine.detach()
        guard let server = attachment.server else { return }
        if server.state.readiness == .idle { attachment.park() } else { attachment.release() }
    }

    // MARK: From the client to the server

    /// Whether the client's bytes can go anywhere: they wait while it is in the queue, while its server is prepared, and
    /// while the side that they go to does not keep up.
    private var mayReadClient: Bool {
        if let server = attachment.server {
            return machine.phase == .serving && !machine.isEnding && server.output.isEmpty
        }
        return output.isEmpty && !attachment.isWaiting && opening == nil
    }

    private func receiveFromClient() throws(SessionEnd) {
        let buffer = worker.buffer
        inputIsReady = false
        var count = input.count
        if count > 0 {
            precondition(count <= buffer.count, "kept bytes fit into the buffer that they came from")
            input.withUnsafeBytes { buffer.copyMemory(from: $0) }
            input = []
        }
        if client.isReadable, count < buffer.count {
            let outcome: ReadOutcome
            do throws(SystemError) {
                outcome = try client.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            } catch {
                throw .clientLeft
            }
            switch outcome {
            case .bytes(let more): count += more
            case .wouldBlock: break
            case .end:
                if count > 0 { keep(UnsafeRawBufferPointer(rebasing: buffer[..<count]), from: 0) }
                return try clientClosed()
            }
        }
        if count > 0 { try forward(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
    }

    /// Passes a chunk of the client's stream on, as far as it consists of messages; the rest is kept.
    private func forward(_ chunk: UnsafeRawBufferPointer) throws(SessionEnd) {
        let bytes = RawSpan(_unsafeBytes: chunk)
        var position = 0
        if attachment.server == nil {
            guard try reachesWork(bytes, &position), try attach() else {
                return keep(chunk, from: position)
            }
        }
        guard let server = attachment.server else { preconditionFailure("attached without a server") }
        if machine.phase != .serving { return keep(chunk, from: position) }
        if worker.log.isLoggingQueries || route.settings.logQuery { logQueries(bytes, from: position) }
        worker.segments.removeAll()
        let end = machine.clientSent(
            bytes, from: &position, to: &server.state, limits: snapshot.clientFrames, &worker.segments)
        // What came before a goodbye or an offence still goes out: it has been recorded.
        sendToServer(server, of: chunk)
        if let end { throw end }
        if machine.isEnding { position = chunk.count }
        keep(chunk, from: position)
    }

    /// Answers or drops what needs no server. True: at `position` begins a message that needs one.
    private func reachesWork(_ bytes: RawSpan, _ position: inout Int) throws(SessionEnd) -> Bool {
        while true {
            switch try machine.clientSent(
                bytes, from: &position, limits: snapshot.clientFrames, heldLimit: worker.buffer.count)
            {
            case .needServer: return true
            case .needMore: return false
            case .answerReady:
                try send(Self.readyForQuery)
                if !output.isEmpty {
                    // The client does not take its answers: it goes on when it has.
                    inputIsReady = position < bytes.byteCount
                    return false
                }
            }
        }
    }

    private static let readyForQuery: [UInt8] = {
        var bytes: [UInt8] = []
        ReadyForQuery(status: .idle).encode(into: &bytes)
        return bytes
    }()

    /// Writes the worker's segments to the server.
    private func sendToServer(_ server: PostgresConnection, of chunk: UnsafeRawBufferPointer) {
        guard !worker.segments.isEmpty else { return }
        counters.received(worker.segments.count)
        do throws(SystemError) {
            try server.output.write(worker.segments, of: chunk, to: server.transport)
        } catch {
            // The server has closed. What it said last is still to be read; then the client is told.
            server.state.fail(PostgresError(.connection, "\(error)"))
            server.transport.expectBytes()
            inputIsReady = true
        }
    }

    private func keep(_ chunk: UnsafeRawBufferPointer, from position: Int) {
        guard position < chunk.count else { return }
        input = Array(chunk[position...])
    }

    // MARK: A server comes

    /// Gets a server: the one that the client used last, or one that is idle. False: the client is in the queue and is called
    /// when it is served.
    private func attach(mayWait: Bool = true) throws(SessionEnd) -> Bool {
        if attachment.reclaim() {
            if let server = attachment.server, server.isQuiet {
                if opening == nil { prepare(server) }
                return true
            }
            attachment.release()
        }
        return try claim(mayWait: mayWait)
    }

    @inline(never)
    private func claim(mayWait: Bool) throws(SessionEnd) -> Bool {
        var request = ClaimRequest.any
        request.affinity = worker.reactor.index
        request.preferredSlot = attachment.preferredSlot
        switch route.pool.claim(request, timeout: mayWait ? nil : .zero, receiver: mailboxForWaits()) {
        case .claimed(let claim):
            try adopt(claim)
            return true
        case .waiting(let waiter):
            attachment.wait(waiter)
            return false
        case .failed(let error):
            if !mayWait { return false }
            throw route.refusal(error)
        }
    }

    private func mailboxForWaits() -> ClaimMailbox {
        if let mailbox { return mailbox }
        let reactor = worker.reactor
        let waker = Waker(handler: self, token: Token.signal, on: reactor)
        signal = waker
        let mailbox = ClaimMailbox { reactor.wake(waker) }
        self.mailbox = mailbox
        return mailbox
    }

    /// Takes the server that the client has waited for, if it has come.
    private func receiveDelivered() throws(SessionEnd) {
        guard attachment.isWaiting, let ticket = mailbox?.take() else { return }
        _ = attachment.endWait()
        let claim: Claim<PostgresConnection>
        do throws(PoolError) {
            claim = try route.pool.redeem(ticket)
        } catch {
            throw route.refusal(error)
        }
        try adopt(claim)
        inputIsReady = !input.isEmpty
        if opening != nil { try open() }
    }

    private func adopt(_ claim: consuming Claim<PostgresConnection>) throws(SessionEnd) {
        let connection = claim.connection
        do throws(SystemError) {
            try connection.transport.move(to: worker.reactor, handler: self, token: Token.server)
        } catch {
            claim.discard("the worker could not take its socket", blame: false)
            throw .fatal(.connectionFailure, "failed to take over a server connection: \(error.reason)")
        }
        attachment.attach(claim)
        if opening == nil { prepare(connection) }
    }

    /// Brings the server's session to the client's settings. The client's bytes wait if that takes a question.
    private func prepare(_ server: PostgresConnection) {
        worker.segments.removeAll()
        if machine.attach(to: &server.state, as: session.owner, rule: route.cleaningRule, &worker.segments) {
            return
        }
        sendToServer(server, of: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    // MARK: From the server to the client

    private func receiveFromServer(_ server: PostgresConnection) throws(SessionEnd) {
        let buffer = worker.buffer
        let kept = server.state.takeUnread(into: buffer)
        let outcome: ReadOutcome
        do throws(SystemError) {
            outcome = try server.transport.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
        } catch {
            return try loseServer(server, server.state.failure?.message ?? "\(error)")
        }
        switch outcome {
        case .bytes(let count):
            try deliver(UnsafeRawBufferPointer(rebasing: buffer[..<(kept + count)]), server)
        case .wouldBlock:
            server.state.keepUnread(UnsafeRawBufferPointer(rebasing: buffer[..<kept]))
            // A write has failed, and nothing is left to be read that would say why.
            if let failure = server.state.failure { try loseServer(server, failure.message) }
        case .end: try loseServer(server, server.state.failure?.message ?? "the server closed the connection")
        }
    }

    /// Passes a chunk of the server's stream on and does what follows from it.
    private func deliver(_ chunk: UnsafeRawBufferPointer, _ server: PostgresConnection) throws(SessionEnd) {
        var chunk = chunk
        while try deliverPart(&chunk, server) {}
    }

    /// False: the chunk is used up. True: another part of it is to be looked at.
    private func deliverPart(_ chunk: inout UnsafeRawBufferPointer, _ server: PostgresConnection)
        throws(SessionEnd) -> Bool
    {
        let step = machine.serverSent(
            RawSpan(_unsafeBytes: chunk), &server.state, limits: snapshot.serverFrames)
        let received = step.received
        let rest = UnsafeRawBufferPointer(rebasing: chunk[received.consumed...])
        if !rest.isEmpty, !received.isBroken, !received.hasMore { server.state.keepUnread(rest) }
        if !received.visible.isEmpty {
            let visible = UnsafeRawBufferPointer(rebasing: chunk[received.visible])
            counters.sent(visible.count, queries: received.completed, transactions: received.transactions)
            do throws(SystemError) {
                try output.write(visible, to: client)
            } catch {
                throw .clientLeft
            }
        }
        switch step.next {
        case .proceed: break
        case .release: release()
        case .prepared(let messages): try goOn(telling: messages)
        case .probe: askWhetherFree(server)
        case .finish: throw .terminated
        case .refuse(let fields): throw .refused(fields)
        case .replace(let reason): try replace(server, reason)
        case .lose(let reason): try loseServer(server, reason)
        }
        chunk = rest
        return received.hasMore
    }

    /// The server has confirmed the client's settings.
    @inline(never)
    private func goOn(telling messages: [UInt8]) throws(SessionEnd) {
        lostInARow = 0
        if let opening {
            return try greet(route.accepted.record(opening.asked, became: machine.parameters), opening)
        }
        inputIsReady = !input.isEmpty
        if !messages.isEmpty { try send(messages) }
    }

    // MARK: A server goes

    /// The client's transaction is over: the server stays at hand as long as nobody else needs it.
    private func release() {
        guard cancelsUnderWay == 0, let server = attachment.server, server.output.isEmpty else { return }
        machine.detach()
        inputIsReady = !input.isEmpty
        if server.state.readiness == .idle { attachment.park() } else { attachment.release() }
    }

    /// Only the answer to a question of our own shows whether the server owes the client anything.
    @inline(never)
    private func askWhetherFree(_ server: PostgresConnection) {
        worker.segments.removeAll()
        machine.askWhetherFree(&server.state, &worker.segments)
        sendToServer(server, of: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Lets the server go if a reason to keep it has just gone.
    private func releaseIfFree() {
        guard let server = attachment.server, machine.mayRelease(&server.state) else { return }
        release()
    }

    @inline(never)
    private func replace(_ server: PostgresConnection, _ reason: String) throws(SessionEnd) {
        worker.log.error(reason, in: session.context(.reset, server: server))
        attachment.discard(reason)
        try retryPreparation(reason)
    }

    /// The server's connection is gone.
    @inline(never)
    private func loseServer(_ server: PostgresConnection, _ reason: String) throws(SessionEnd) {
        worker.log.error("server connection lost: \(reason)", in: session.context(.server, server: server))
        let wasPreparing = machine.phase == .preparing
        let loss = machine.serverLost(reason, &server.state)
        server.state.fail(PostgresError(.connection, reason))
        server.transport.close()
        attachment.release()
        switch loss {
        case .unnoticed:
            if wasPreparing || opening != nil { try retryPreparation(reason) }
            inputIsReady = !input.isEmpty
        case .answer(let fields, let count):
            var bytes: [UInt8] = []
            for _ in 0..<count {
                session.describe(fields).encode(into: &bytes)
                ReadyForQuery(status: .idle).encode(into: &bytes)
            }
            try send(bytes)
            inputIsReady = !input.isEmpty
        case .end(let end): throw end
        }
    }

    /// The client's bytes, which are kept, go to another server; but not for ever.
    private func retryPreparation(_ reason: String) throws(SessionEnd) {
        lostInARow += 1
        guard lostInARow < Self.preparationAttempts else {
            throw .fatal(.connectionFailure, "server connection lost: \(reason)")
        }
        inputIsReady = !input.isEmpty
        if opening != nil { try open() }
    }

    // MARK: The client's socket

    /// Sends bytes of our own to the client, behind what waits.
    private func send(_ bytes: [UInt8]) throws(SessionEnd) {
        do throws(SystemError) {
            try output.write(bytes, to: client)
        } catch {
            throw .clientLeft
        }
    }

    /// Writes what waits for either side, as far as it is taken. True: something was, and all of it.
    private func flush() throws(SessionEnd) -> Bool {
        var moved = false
        if !output.isEmpty, client.isWritable {
            do throws(SystemError) {
                try output.flush(to: client)
            } catch {
                throw .clientLeft
            }
            moved = output.isEmpty
        }
        if let server = attachment.server, !server.output.isEmpty, server.transport.isWritable {
            do throws(SystemError) {
                try server.output.flush(to: server.transport)
            } catch {
                server.state.fail(PostgresError(error))
                server.transport.expectBytes()
            }
            if server.output.isEmpty {
                moved = true
                releaseIfFree()
            }
        }
        return moved
    }

    /// The client has closed its side.
    private func clientClosed() throws(SessionEnd) {
        guard let server = attachment.server, machine.phase == .serving else { throw .clientLeft }
        if let end = machine.clientClosed(&server.state) { throw end }
        try probeClient()
    }

    /// A client that hangs up while nothing is read from it.
    private func noticeHangUp() throws(SessionEnd) {
        guard client.isHungUp, !mayReadClient else { return }
        if opening != nil { throw .clientLeft }
        try probeClient()
    }

    /// Finds out whether a client that has closed its side is still there. Closing one side and closing both look the same; but a
    /// client that is gone resets the connection when it is written to. One that is there gets a parameter that it knows already.
    @inline(never)
    private func probeClient() throws(SessionEnd) {
        if !clientHasClosed {
            if attachment.server?.state.isInsideReply == true { return }
            clientHasClosed = true
            try send(machine.probe())
        }
        if client.takeError("answer \(client.peer)") != nil { throw .clientLeft }
    }

    // MARK: Log

    /// Writes a line for each Query and Parse of the chunk that is here as a whole (`log_query`). Values of parameters are never logged.
    @inline(never)
    private func logQueries(_ bytes: RawSpan, from start: Int) {
        machine.forEachQuery(in: bytes, from: start, limits: snapshot.clientFrames) { text in
            worker.log.query(text, in: session.context(.main, server: attachment.server), ofRoute: true)
        }
    }

    // MARK: Cancels

    /// The server that a cancel for this client is meant for; nil when it has nothing under way.
    ///
    /// Until ``endCancel(_:didArrive:)`` the server is not let go, so that the cancel can hit no other client.
    func beginCancel() -> PostgresConnection? {
        guard !hasLeft, let server = attachment.server, !server.state.flow.isSynchronized else { return nil }
        cancelsUnderWay += 1
        return server
    }

    /// The request has arrived at the server, or could not be sent.
    ///
    /// - Parameter didArrive: false when it was sent and may still be under way: then the server is never lent again.
    func endCancel(_ server: PostgresConnection, didArrive: Bool) {
        cancelsUnderWay -= 1
        if !didArrive {
            server.state.fail(
                PostgresError(.cancelled, "a cancel request may still be under way to the server"))
        }
        guard cancelsUnderWay == 0 else { return }
        if hasLeft { return giveUpServer() }
        releaseIfFree()
        handle(Token.signal)
    }

    // MARK: The end

    private func end(_ end: SessionEnd) {
        let session = session
        session.end(end)
    }

    /// The session is over, or goes over to another stage: everything that is held goes back.
    func leave() {
        hasLeft = true
        opening = nil
        if let waiter = attachment.endWait() { mailbox?.abandon(waiter, in: route.pool) }
        signal?.callNothing()
        // A cancel that is on its way must not find the server with somebody else.
        if cancelsUnderWay == 0 { giveUpServer() }
    }

    private func giveUpServer() {
        if let server = attachment.server {
            if route.resetsOnLeave { server.state.requireReset() }
            if !server.transport.isClosed { server.transport.setHandler(nil, token: 0) }
        }
        attachment.release()
    }

    func stop() {
        isStopping = true
        if attachment.server == nil, !attachment.isWaiting { end(.shutdown) }
    }

    func abort() { end(.shutdown) }
}
