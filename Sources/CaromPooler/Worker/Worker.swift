// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// One thread's share of the pooler: its clients, and the buffer they all read into.
final class Worker: Sendable {
    let reactor: Reactor
    let router: Router
    let cancels: CancelRegistry
    let log: PoolerLog
    let admission: Admission
    /// Where clients go whose route is the console.
    let console: ConsoleContext
    let presence: ClientPresence
    let cryptography = OpenSSLCryptography()
    let loginServices: LoginServices
    private let workerCount: Int
    private let local: UnsafeSingleOwner<Local>

    /// What only the worker's thread touches.
    private struct Local: ~Copyable {
        let buffer: UnsafeMutableRawBufferPointer
        var segments = Segments()
        var random = BufferedRandom()
        var logins = LoginMemory()
        let waker = Waker()
        var snapshot: Snapshot
        var jobs: [@Sendable () async -> Void] = []
        var sessions: [UInt64: ClientSession] = [:]
        var loginLine = LoginLine()
        /// Clients whose cancel is on its way to their server, and who else waits for its arrival.
        var cancels: [UInt64: [UnsafeContinuation<Void, Never>]] = [:]
        var nextOwner: UInt64
        var isStopping = false
        /// Nothing is read from anybody.
        var suspension: Suspension?
        /// Another process, to which clients go.
        var successor: Successor?

        deinit { buffer.deallocate() }
    }

    /// Straight to the memory: the box's own accessor would be called, as often as a client does anything.
    private var own: Local {
        unsafeAddress { UnsafePointer(local.pointer) }
        unsafeMutableAddress { local.pointer }
    }

    /// A client that was accepted and is to be served here.
    struct Arrival: Sendable {
        let accepted: Listener.Accepted
        let listener: ListenerDefinition
    }

    /// An owner's number says in its upper bits which worker it is on.
    static var ownerShift: UInt64 { 48 }

    init(
        reactor: Reactor, router: Router, cancels: CancelRegistry, admission: Admission,
        console: ConsoleContext, presence: ClientPresence, loginServices: LoginServices, log: PoolerLog,
        snapshot: Snapshot, workerCount: Int
    ) {
        self.loginServices = loginServices
        self.workerCount = workerCount
        self.reactor = reactor
        self.router = router
        self.cancels = cancels
        self.admission = admission
        self.console = console
        self.presence = presence
        self.log = log
        local = UnsafeSingleOwner(
            Local(
                buffer: .allocate(byteCount: snapshot.bufferSize, alignment: 64), snapshot: snapshot,
                nextOwner: UInt64(reactor.index) << Self.ownerShift | 1))
    }

    // MARK: What the sessions share; on the worker's thread

    /// What is configured now.
    var snapshot: Snapshot { own.snapshot }

    /// Uses another snapshot, from any thread: at once for clients to come, for those that are here as soon as they can leave what is no
    /// more. Returns when they have been told.
    func use(_ snapshot: Snapshot) async {
        await withUnsafeContinuation { continuation in
            reactor.call {
                self.own.snapshot = snapshot
                self.cancels.peers.use(snapshot.settings)
                for session in self.sessions { session.routesChanged() }
                continuation.resume()
            }
        }
    }

    /// Where every session of this worker reads to. Its content lasts until the next event.
    var buffer: UnsafeMutableRawBufferPointer { own.buffer }

    /// What is being put together for the next write to a server.
    var segments: Segments {
        _read { yield own.segments }
        _modify { yield &own.segments }
    }

    /// Random numbers for ids and keys.
    var random: BufferedRandom {
        _read { yield own.random }
        _modify { yield &own.random }
    }

    /// Startup packets that came lately.
    var logins: LoginMemory {
        _read { yield own.logins }
        _modify { yield &own.logins }
    }

    // MARK: Clients

    /// Hands a client over, from any thread.
    func deliver(_ arrival: Arrival) {
        if reactor.isCurrent { serve(arrival) } else { reactor.call { self.serve(arrival) } }
    }

    private func serve(_ arrival: Arrival) {
        let accepted = arrival.accepted
        let transport: Transport
        do throws(SystemError) {
            transport = try Transport(adopting: accepted.descriptor, peer: accepted.peer, on: reactor)
        } catch {
            log.error("client from \(accepted.peer): \(error)")
            return
        }
        if own.isStopping { return transport.close() }
        transport.expectBytes()
        let session = ClientSession(
            worker: self, transport: transport, owner: nextOwner(), listener: arrival.listener)
        keep(session)
        session.begin()
        // Most clients need not stand in line: their first packet is all it takes.
        if session.isLoggingIn {
            own.loginLine.enter(session.owner)
            makeRoomForLogins()
        }
    }

    private func nextOwner() -> UInt64 {
        defer { own.nextOwner += 1 }
        return own.nextOwner
    }

    private func keep(_ session: ClientSession) {
        own.sessions[session.owner] = session
        presence.enter()
    }

    /// What became of a client that another process offers.
    enum Adoption: Sendable {
        /// It stands still; this is its number here.
        case adopted(owner: UInt64)
        case declined(reason: String)
    }

    /// Takes in a client that another process has served. On the worker's thread.
    ///
    /// - Parameter origin: nil for one that this process takes back.
    func adopt(_ state: ClientState, _ socket: PassedDescriptor, from origin: Transfer.Origin?) -> Adoption {
        let listeners = snapshot.listeners
        if !snapshot.descriptors.hasRoom(for: socket.present) {
            return .declined(reason: "the new process has no descriptors left")
        }
        guard !own.isStopping, let descriptor = socket.take(),
            let listener = listeners.first(where: { "\($0.address)" == state.listener }) ?? listeners.first
        else { return .declined(reason: "the new process is shutting down") }
        let transport: Transport
        do throws(SystemError) {
            transport = try Transport(adopting: descriptor, peer: state.peer, on: reactor)
        } catch {
            return .declined(reason: "\(error)")
        }
        // What has come while nobody read makes an event.
        let session = ClientSession(
            worker: self, transport: transport, owner: nextOwner(), listener: listener, as: state)
        keep(session)
        do throws(SessionEnd) {
            try Transfer.adopt(state, as: session, from: origin)
            return .adopted(owner: session.owner)
        } catch {
            session.leaveQuietly()
            return .declined(reason: error.message ?? "\(error)")
        }
    }

    /// Another process, to which clients go; nil for most of a process's life. On the worker's thread.
    var successor: Successor? {
        get { own.successor }
        set {
            own.successor = newValue
            // Who goes there must be heard.
            if newValue != nil { endSuspension() }
        }
    }

    /// Sends those away that have not logged in for longest, if there are too many: whoever sends nothing shall not keep
    /// others out.
    private func makeRoomForLogins() {
        let budget = snapshot.descriptors
        while own.loginLine.count > budget.logins(ofWorkers: workerCount),
            let oldest = own.loginLine.oldest
        {
            presence.displace()
            own.loginLine.leave(oldest)
            own.sessions[oldest]?.displace(limit: budget.logins)
        }
    }

    /// The client has logged in, or is leaving.
    func leaveLogin(_ session: ClientSession) { own.loginLine.leave(session.owner) }

    /// The session is over.
    func forget(_ session: ClientSession) {
        guard own.sessions.removeValue(forKey: session.owner) != nil else { return }
        presence.leave()
        if own.isStopping, own.sessions.isEmpty { own.waker.wake() }
    }

    /// The session of an owner's number, if it is still here. On the worker's thread.
    func session(of owner: UInt64) -> ClientSession? { own.sessions[owner] }

    /// All sessions. On the worker's thread.
    var sessions: [ClientSession] { Array(own.sessions.values) }

    /// Clients that are being served; exact on the worker's own thread.
    var clientCount: Int { presence.count }

    // MARK: Logins

    /// Tells a client's login what it waits for, from any thread.
    func tell(_ owner: UInt64, _ news: LoginNews) {
        reactor.call { self.session(of: owner)?.receive(news) }
    }

    // MARK: Channels

    /// The worker that a client is on.
    static func index(ofOwner owner: UInt64) -> Int { Int(owner >> ownerShift) }

    /// The hub listens now for a client, or cannot. From any thread.
    func settle(_ listener: UInt64, _ trouble: PostgresError?) {
        reactor.call {
            guard let relay = self.session(of: listener)?.stage as? Relay else { return }
            relay.channels?.settled(trouble)
            relay.obey(.hear)
        }
    }

    /// Tells clients what was said, from any thread.
    func deliver(_ deliveries: [ChannelHub.Delivery]) {
        reactor.call {
            for delivery in deliveries {
                for listener in delivery.listeners {
                    guard let relay = self.session(of: listener)?.stage as? Relay else { continue }
                    if relay.channels?.hear(delivery.message, on: delivery.channel) == false {
                        relay.end(ClientChannels.overflow)
                    } else {
                        relay.obey(.hear)
                    }
                }
            }
        }
    }

    // MARK: Life

    /// Serves until ``stop()``, and then until the last client has gone. Runs on the worker's thread.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !own.isStopping || !own.sessions.isEmpty {
                let jobs = own.jobs
                own.jobs = []
                for job in jobs { group.addTask(executorPreference: reactor) { await job() } }
                if own.jobs.isEmpty { await own.waker.wait() }
            }
        }
    }

    /// Has work done that waits for something else than a client's bytes, as a child of ``run()``. On the worker's thread.
    func spawn(_ job: @escaping @Sendable () async -> Void) {
        own.jobs.append(job)
        own.waker.wake()
    }

    /// Takes no more clients, and ends each of those that are here when it holds no server. From any thread.
    func stop() {
        reactor.call {
            self.own.isStopping = true
            self.endSuspension()
            for session in self.sessions { session.stop() }
            self.own.waker.wake()
        }
    }

    /// Ends the clients that still hold a server, too.
    func abort() {
        reactor.call {
            for session in self.sessions { session.abort() }
        }
    }

    // MARK: Suspension; on the worker's thread

    /// Nothing is read from clients and their servers.
    var isSuspended: Bool { own.suspension != nil }

    /// Begins or ends a suspension, as the router has it by now.
    ///
    /// - Parameter flushed: told when everybody has taken what was sent, or has been cut off for that, or when it is over.
    func followSuspension(until deadline: Deadline, _ flushed: @escaping () -> Void) {
        guard router.switches.isSuspended, !own.isStopping, successor == nil else {
            endSuspension()
            return flushed()
        }
        if isSuspended { return flushed() }
        let suspension = Suspension(self, until: deadline, flushed)
        own.suspension = suspension
        suspension.begin()
    }

    private func endSuspension() {
        if router.switches.isSuspended { router.change { $0.endSuspension() } }
        guard let suspension = own.suspension else { return }
        own.suspension = nil
        suspension.end()
    }

    // MARK: Cancels

    /// Passes a request on to the server that works for the client which it means, and ends the session that brought it when it has
    /// arrived there. An unknown key does nothing, as with PostgreSQL.
    func forwardCancel(_ request: CancelRequest, from session: ClientSession) {
        let requester = session.owner
        guard cancels.mayFind(request) else { return session.end(.terminated) }
        spawn {
            await self.cancels.deliver(request, from: .client, on: self)
            self.own.sessions[requester]?.end(.terminated)
        }
    }

    /// Cancels what a client of this worker has under way, and waits until the server knows. While one cancel is on its way
    /// others join it: whoever sends many opens no more than one connection to the server, and so a route has never more
    /// of them than servers.
    func cancelQuery(of owner: UInt64, _ request: CancelRequest) async {
        await withTaskExecutorPreference(reactor) {
            guard let relay = own.sessions[owner]?.relay(forCancel: request) else { return }
            if relay.cancelWait() { return }
            if own.cancels[owner] != nil {
                return await withUnsafeContinuation { own.cancels[owner]?.append($0) }
            }
            guard let server = relay.beginCancel() else { return }
            own.cancels[owner] = []
            let didArrive = await relay.route.connector.cancelRunningQuery(
                server, on: reactor, within: snapshot.settings.cancelTimeout)
            if !didArrive { relay.route.counters[reactor.index].count(.cancelTimeout) }
            let others = own.cancels.removeValue(forKey: owner) ?? []
            relay.endCancel(server, didArrive: didArrive)
            for other in others { other.resume() }
        }
    }
}
