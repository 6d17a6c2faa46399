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
/// The loop calls it when either socket has something; no task is suspended while a client thinks. The architecture has a query's way.
final class Relay: SessionStage {
    // Unowned: the session holds its stage. Unchecked: a session runs on one thread, and no method is called while another
    // is inside a property; the run-time check would be on the path of every message.
    @exclusivity(unchecked) unowned(unsafe) let session: ClientSession
    private unowned(unsafe) let worker: Worker
    private let reactor: Unmanaged<Reactor>  // the worker's: each message asks for the time, without a retain
    private let snapshot: Snapshot
    private let counters: Counters

    @exclusivity(unchecked) private var machine: RelayMachine
    @exclusivity(unchecked) private var client: ClientLeg
    @exclusivity(unchecked) private var leg: ServerLeg
    /// An unusual stage has a watch that events go through, or was left. Small, it stands where it takes no room.
    @exclusivity(unchecked) private var isUnusual = false
    @exclusivity(unchecked) private var opening: Opening?
    @exclusivity(unchecked) private var order = RelayOrder.none
    @exclusivity(unchecked) private var watch: RelayWatch?
    private var hasLeft: Bool { isUnusual && watch == nil }
    private var turnTime: Deadline { reactor._withUnsafeGuaranteedRef { $0.turnTime } }
    var route: Route { leg.route }
    var channels: ClientChannels? { machine.requests.channels }
    var position: RelayOrder.Position { leg.position(client.keepsUp, order) }
    var report: RelayReport { RelayReport(leg, client, machine.book) }
    var activity: TimeWatch.Activity { TimeWatch.Activity(leg, machine) }
    /// What another relay goes on with; nil while this one is not at rest.
    var record: RelayRecord? { opening == nil && !hasLeft ? RelayRecord(machine, client, leg) : nil }

    /// Without an opening the client was greeted by another relay, which has left the record.
    init(_ session: ClientSession, route: Route, opening: Opening?, _ record: RelayRecord) {
        self.session = session
        worker = session.worker
        reactor = Unmanaged.passUnretained(session.worker.reactor)
        client = ClientLeg(session.transport, input: record.input, isReady: opening == nil)
        snapshot = session.worker.snapshot
        counters = route.counters[session.worker.reactor.index]
        machine = route.machine(for: session.owner, counters, record)
        leg = ServerLeg(route, choice: record.choice)
        self.opening = opening
        limit(to: route.definition.limits)
    }

    // MARK: Events

    func begin() throws(SessionEnd) { try opening?.advance(self) }

    func handle(_ token: Int) {
        // A server's socket may call a stage that was left, until somebody else uses it.
        if isUnusual { watch?.handle(token) } else { work(token) }
    }

    /// Does what an event asks for.
    @inline(__always)
    func work(_ token: Int) {
        do throws(SessionEnd) {
            if try !takeOneStep(token) { try pump() }
            if order != .none { try followOrder() }
        } catch {
            end(error)
        }
    }

    /// The usual event: one chunk, which the other side takes at once. False: there may be more to do.
    private func takeOneStep(_ token: Int) throws(SessionEnd) -> Bool {
        let keepsUp = client.keepsUp && leg.keepsUp
        if token == ServerLeg.Token.server, leg.isAttached {
            guard keepsUp, leg.isReadable else { return false }
            return try receiveFromServer() && !client.hasKeptWork
        }
        if token == ClientLeg.Token.client {
            guard keepsUp, mayReadClient else { return client.postpone() }
            return try receiveFromClient()
        }
        if token != ClientLeg.Token.more { try look(at: token) }
        return false
    }

    /// Passes on what is there, but not for ever: a transfer that never waits must not keep the worker's other clients waiting.
    private func pump() throws(SessionEnd) {
        for _ in 0..<8 {
            var moved = false
            if client.hasWork, mayReadClient {
                _ = try receiveFromClient()
                moved = true
            }
            if leg.isReadable, client.keepsUp {
                _ = try receiveFromServer()
                moved = true
            }
            if try flush() { moved = true }
            if !moved { return try noticeHangUp() }
        }
        worker.reactor.again(self, token: ClientLeg.Token.more)
    }

    /// What came from elsewhere than the sockets in use.
    @inline(never)
    private func look(at token: Int) throws(SessionEnd) {
        switch token {
        case ServerLeg.Token.server:
            // A parked server that speaks or hangs up is of no use, if it is still here; the pool looks at it.
            guard !leg.isAttached, leg.reclaim(), let server = leg.server else { return }
            server.isQuiet ? leg.park() : leg.release()
        default: try receiveDelivered()
        }
    }

    // MARK: From the client to the server, which comes for it

    /// Whether the client's bytes can go anywhere: they wait while it is in the queue, while its server is prepared, and
    /// while the side that they go to does not keep up.
    private var mayReadClient: Bool {
        if client.gate != .open { return false }
        guard let server = leg.server else { return client.keepsUp && !leg.isWaiting && opening == nil }
        return machine.mayForward(to: server.state) && leg.keepsUp
    }

    /// True: the client's socket has no more, and the server has taken it.
    private func receiveFromClient() throws(SessionEnd) -> Bool {
        var isClosed = false
        let count = try client.read(into: worker.buffer, isClosed: &isClosed)
        if count > 0 { try forward(UnsafeRawBufferPointer(rebasing: worker.buffer[..<count])) }
        if isClosed, !leg.isWaiting { try client.noticeEnd(&leg, &machine, &worker.segments) }
        return !client.hasWork && leg.keepsUp
    }

    /// Passes a chunk of the client's stream on, as far as it consists of messages; the rest is kept.
    private func forward(_ chunk: UnsafeRawBufferPointer) throws(SessionEnd) {
        let bytes = RawSpan(_unsafeBytes: chunk)
        var position = 0
        if !leg.isAttached {
            let limit = worker.buffer.count
            guard try client.reachesWork(bytes, &position, &machine, snapshot.clientFrames, limit),
                try attach()
            else { return try client.keepIdle(chunk, from: position) }
        }
        guard let server = leg.server else { preconditionFailure("attached without a server") }
        if machine.phase != .serving { return client.keep(chunk, from: position) }
        if worker.log.isLoggingQueries || route.definition.watchesRequests {
            session.logQueries(in: bytes, from: position, machine.walker, server, route)
            machine.retention.beginReads(leg.readRetries, &server.state)
        }
        worker.segments.removeAll()
        let (start, isFirst) = (position, machine.retention.isFirst)
        let end = machine.clientSent(
            bytes, from: &position, to: &server.state, limits: snapshot.clientFrames, &worker.segments)
        counters.received(worker.segments.count, for: &server.state, at: turnTime)
        guard
            leg.send(worker.segments, of: chunk, to: server) || !isFirst
                || !ServerLoss.isUnsent(chunk, from: start, &machine, &client, &leg, session, counters)
        else { return }
        if machine.retention.isOn { machine.retention.add(bytes.extracting(start..<position), &server.state) }
        if !machine.book.vacated.isEmpty { worker.router.vacate(machine.takeVacated(), as: route) }
        if let end { try client.finish(end, &leg, &machine) }
        client.keep(chunk, from: machine.isEnding ? chunk.count : position)
    }

    /// Gets a server and prepares it. False: the client is in the queue, and is called when it is served.
    private func attach() throws(SessionEnd) -> Bool {
        guard try leg.acquire(on: worker.reactor, mayWait: true, handler: self), let server = leg.server
        else { return false }
        try client.tell(leg.prepare(server, &machine, as: session.owner, &worker.segments))
        return true
    }

    /// Takes the server that the client has waited for, if it has come.
    private func receiveDelivered() throws(SessionEnd) {
        guard try leg.receive(on: worker.reactor, handler: self), let server = leg.server else { return }
        if let opening { return try opening.advance(self) }
        try client.tell(leg.prepare(server, &machine, as: session.owner, &worker.segments))
        client.retry()
    }

    // MARK: From the server to the client

    /// True: the server's socket has no more, and the client has taken it.
    private func receiveFromServer() throws(SessionEnd) -> Bool {
        guard let server = leg.server else { return false }
        switch leg.read(server, into: worker.buffer) {
        case .bytes(let count):
            var chunk = UnsafeRawBufferPointer(rebasing: worker.buffer[..<count])
            while try deliver(&chunk, server), leg.isAttached {}
            return !leg.isReadable && client.keepsUp
        case .nothing: return true
        case .lost(let reason):
            try loseServer(server, reason)
            return false
        }
    }

    /// Passes a chunk of the server's stream on and does what follows from it. True: another part is to be looked at, which `chunk` is.
    private func deliver(_ chunk: inout UnsafeRawBufferPointer, _ server: PostgresConnection)
        throws(SessionEnd) -> Bool
    {
        let roleVersion = server.state.role.version
        let step = machine.serverSent(
            RawSpan(_unsafeBytes: chunk), &server.state, limits: snapshot.serverFrames)
        let received = step.received
        let rest = UnsafeRawBufferPointer(rebasing: chunk[received.consumed...])
        if !rest.isEmpty, !received.isBroken, !received.hasMore { server.state.keepUnread(rest) }
        if !received.isOrdinary {
            let isUnasked = machine.phase == .serving && machine.book.effects.isEmpty
            route.heard(received, from: server, isUnasked: isUnasked, since: roleVersion)
        }
        counters.sent(received, from: &server.state, at: turnTime)
        if !received.visible.isEmpty {
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[received.visible])
            if machine.retention.mayTell(bytes, &server.state) { try client.send(bytes) }
        }
        try follow(step.next, server)
        chunk = rest
        return received.hasMore
    }

    @inline(__always)
    private func follow(_ next: ServerStep.Next, _ server: PostgresConnection) throws(SessionEnd) {
        switch next {
        case .proceed: break
        case .release(let messages):
            try client.tell(messages)
            release()
        case .prepared where opening != nil: try opening?.confirmed(server.state, self)
        case .prepared(let messages), .tell(let messages):
            leg.forgetLosses()
            try client.goOn(telling: messages)
        case .ask(let messages):
            try client.tell(messages)
            leg.ask(server, &machine, &worker.segments)
        case .listen(let messages, let next):
            try client.hold(telling: messages)
            route.history.hub.listen(to: channels, for: session, on: route)
            try follow(next, server)
        case .finish(let messages): try client.finish(.terminated, telling: messages, &leg, &machine)
        case .refuse(let fields): throw .refused(fields)
        case .replace(let reason):
            ServerLoss.replace(server, &leg, reason, session)
            try retryPreparation(reason)
        case .lose(let reason): try loseServer(server, reason)
        }
    }

    // MARK: A server goes

    /// The client's transaction is over: the server stays at hand as long as nobody else needs it.
    private func release() {
        guard let server = leg.server, !leg.cancels.areUnderWay, server.output.isEmpty else { return }
        machine.detach()
        client.retry()
        if server.state.readiness == .idle { leg.park() } else { leg.release() }
    }

    private func releaseIfFree() { if let held = leg.server, machine.mayRelease(&held.state) { release() } }

    @inline(never)
    private func loseServer(_ server: PostgresConnection, _ reason: String) throws(SessionEnd) {
        let isPreparing = machine.phase == .preparing || opening != nil
        let loss = ServerLoss.ofServer(server, &machine, &leg, client, reason, session)
        if isPreparing, case .unnoticed = loss { return try retryPreparation(reason) }
        try loss.follow(&client, session, server, counters)
    }

    /// The client's bytes, which are kept, go to another server; but not for ever.
    private func retryPreparation(_ reason: String) throws(SessionEnd) {
        try leg.countLoss(reason)
        client.retry()
        try opening?.advance(self)
    }

    /// Writes what waits for either side, as far as it is taken. True: something was, and all of it.
    func flush() throws(SessionEnd) -> Bool {
        let moved = client.keepsUp ? false : try client.flush()
        guard let server = leg.server, !server.output.isEmpty, leg.flush(server) else { return moved }
        releaseIfFree()
        return true
    }

    /// A client that hangs up while nothing is read from it. Whatever is there to be read is looked at when that is over.
    private func noticeHangUp() throws(SessionEnd) {
        if mayReadClient || !client.hasWork || client.postpone() || !client.transport.isHungUp { return }
        // What a server says before the client is greeted is not for it.
        try client.probe(opening == nil ? leg.server : nil, machine)
    }

    /// A server of the route, or nil: then the client is in the queue, or none is idle and it does not wait.
    func serverForOpening(mayWait: Bool) throws(SessionEnd) -> PostgresConnection? {
        if leg.server == nil { _ = try leg.acquire(on: worker.reactor, mayWait: mayWait, handler: self) }
        return leg.server
    }

    /// True: the server has the settings. If not, it has been asked.
    func prepare(_ server: PostgresConnection, for wanted: SettingValues, isAsking: Bool) -> Bool {
        machine.begin(with: SessionBook(startup: wanted), isConfirmed: false)
        _ = leg.prepare(server, &machine, as: session.owner, isAsking: isAsking, &worker.segments)
        return machine.phase == .serving
    }

    /// Ends the opening: the client has these settings and is told so.
    func greet(_ entry: AcceptedParameters.Entry, isConfirmed: Bool, _ version: ProtocolVersion)
        throws(SessionEnd)
    {
        if isConfirmed { opening?.remember(route, entry, in: &worker.logins) }
        opening = nil
        machine.begin(with: SessionBook(startup: entry.wishes, told: entry.told), isConfirmed: isConfirmed)
        // In session pooling the server stays the client's, and its key shows that server's process id.
        let own = route.definition.keepsServer ? leg.server : nil
        if own == nil { release() }
        if own == nil { machine.detach() }
        try client.send(entry.greeting(session.registerForCancels(version, as: own?.processID)))
        if let own, machine.phase == .detached {
            try client.tell(leg.prepare(own, &machine, as: session.owner, &worker.segments))
        }
        client.retry()
        session.logGreeting(route)
    }

    // MARK: Cancels, orders and the end

    /// Whether the client waited for a server: it does no longer, and what it waited with is answered as cancelled.
    func cancelWait() -> Bool {
        guard !hasLeft, opening == nil, leg.isWaiting else { return false }
        leg.leaveQueue()
        do throws(SessionEnd) { try client.cancelWait(&machine) } catch { end(error) }
        handle(ServerLeg.Token.signal)
        return true
    }

    /// The server that a cancel for this client is meant for; nil when nothing of the client's own is under way.
    func beginCancel() -> PostgresConnection? {
        hasLeft || machine.phase != .serving ? nil : leg.cancels.begin(leg.server)
    }

    /// The request has arrived at the server, or could not be sent; else it may still be under way.
    func endCancel(_ server: PostgresConnection, didArrive: Bool) {
        leg.cancels.end(server, didArrive: didArrive)
        if leg.cancels.areUnderWay { return }
        if hasLeft { return leg.giveUp() }
        if case .asking = machine.phase { leg.ask(server, &machine, &worker.segments) }
        releaseIfFree()
        handle(ServerLeg.Token.signal)
    }

    func end(_ end: SessionEnd) {
        // Held, because its end lets go of it.
        let session = session
        let isMute = leg.server.map { ServerLoss.isMute(machine, $0.state) } == true
        session.end(isMute ? end.silent : end, because: end)
    }

    func leave() -> OutputQueue {
        watch?.end()
        (watch, isUnusual, opening) = (nil, true, nil)
        leg.leaveQueue()
        route.history.hub.leave(channels, session)
        if !leg.cancels.areUnderWay { leg.giveUp() }
        return client.leave()
    }

    func stop() { obey(.stop) }
    func abort() { end(.shutdown) }
    /// Times are limited to these, if there are any, from now on.
    func limit(to limits: TimeLimits?) {
        watch = RelayWatch.keeping(watch, limits, self, counters, on: worker.reactor)
        isUnusual = watch != nil
    }

    /// Tells the client something that it has not asked for. False: it was not greeted yet.
    func notify(_ notice: [UInt8]) -> Bool {
        if opening != nil { return false }
        do throws(SessionEnd) { try client.send(notice) } catch { end(error) }
        return true
    }

    /// Does this as soon as it can be done.
    func obey(_ order: RelayOrder) {
        self.order.accept(order)
        handle(ServerLeg.Token.signal)
    }

    private func followOrder() throws(SessionEnd) {
        if let channels, RelayOrder.hear.isDue(position), try client.tell(channels) { try pump() }
        guard let next = try order.follow(position, session, route) else { return }
        leg.move(to: next, with: channels, of: session)
        client.retry()
        try opening?.advance(self)
        try pump()
    }
}
