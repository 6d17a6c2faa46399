// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Glibc
import Synchronization

/// The process that takes over from this one, as this one sees it: the shell around ``DepartureMachine``. On the first reactor's thread,
/// but where it says otherwise.
final class Successor: EventHandler, @unchecked Sendable {
    // Unchecked: what is not a constant is the reactor's thread's own.
    private let process: ProcessParts
    private let log: PoolerLog
    private let reactor: Reactor
    private var machine = DepartureMachine()
    private var link: HandOverLink?
    private var timer: ReactorTimer?
    /// When clients that are still here are ended.
    private var deadline = Deadline.never
    /// Clients that were asked, so that those who have logged in since are asked, too.
    private var known: Set<UInt64> = []
    /// Workers that have not said yet who is there.
    private var listing = 0
    private var listed: [UInt64] = []
    private var given = 0
    /// Clients that were offered, or let go of and may still be taken back, and their sockets.
    private var held: [UInt64: (state: ClientState, socket: PassedDescriptor)] = [:]
    /// The process goes down, and the new one, which said so, need not be there to see that.
    private var isStopping = false
    private let sockets: () -> [Listener]
    private let mayFinish: () -> Bool
    private let pauseProcess: (Bool) -> Void

    /// How often it is looked after who has come and who has gone.
    private static let interval = Duration.milliseconds(50)

    /// Takes the descriptor of a process that wants to take over.
    ///
    /// - Parameters:
    ///   - sockets: everything that this process listens on.
    ///   - mayFinish: no process before this one has clients that are found by this one.
    ///   - pause: has this process stop accepting clients, or accept them again.
    init(
        _ descriptor: Int32, _ process: ProcessParts, sockets: @escaping () -> [Listener],
        mayFinish: @escaping () -> Bool, pause: @escaping (Bool) -> Void
    ) throws(SystemError) {
        self.process = process
        self.sockets = sockets
        self.mayFinish = mayFinish
        pauseProcess = pause
        log = process.log
        reactor = process.reactor
        // The link holds on to this, until it is closed.
        link = try HandOverLink(
            descriptor, on: reactor,
            HandOverLink.Events(
                received: { message, _ in self.perform(self.machine.received(message)) },
                ended: { reason, isGone in
                    self.perform(isGone ? self.machine.lost(reason) : self.machine.refuse(reason))
                },
                cancel: { request, arrived in
                    process.cancels.deliver(request, from: .successor, on: process.workers[0], arrived)
                }))
        link?.begin()
    }

    /// Whether the process is still the one that accepts clients.
    var isPresent: Bool { machine.phase != .over }

    /// Whether this process has stopped accepting for it, or is about to.
    var hasBegun: Bool { machine.phase == .pausing || machine.phase == .handingOver }

    /// This process does not hand over: it is told why.
    func refuse(_ reason: String) { perform(machine.refuse(reason)) }

    /// Has the new process deal with a cancel whose client is not here. From any thread.
    func pass(_ request: CancelRequest) async {
        await withTaskExecutorPreference(reactor) { await link?.pass(request) }
    }

    // MARK: What the machine says

    private func perform(_ actions: [DepartureMachine.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: DepartureMachine.Action) {
        switch action {
        case .send(let message): link?.send(message)
        case .sendListeners: sendListeners()
        case .pause(let number, let limit): pause(for: number, limit)
        case .ask(let client): ask(client)
        case .depart(let client):
            with(client) { session in
                (session?.stage as? Transfer)?.depart()
                return { self.perform(self.machine.departed(client)) }
            }
        case .stay(let client, let reason):
            held[client] = nil
            with(client) { session in
                if let session, let transfer = session.stage as? Transfer {
                    session.worker.log.info("client stays here: \(reason)", in: session.context(.main))
                    transfer.resume()
                }
                return nil
            }
        case .forget(let client):
            given += 1
            held[client] = nil
        case .forgetAll:
            given += held.count
            held = [:]
        case .takeBack(let client): takeBack(client)
        case .keepListeners(let addresses): process.listeners.keep(only: addresses)
        case .stop:
            log.info("upgrade: the new process was told to stop")
            isStopping = true
            deadline = min(deadline, .after(process.patience()))
            // As by an operator, who may say so himself, before or behind this.
            kill(getpid(), SIGUSR2)
        case .serveAgain: serveAgain()
        case .close(let reason): close(reason)
        }
    }

    /// Does something with a client on its worker's thread, and then on this one.
    private func with(
        _ client: UInt64, _ body: @escaping @Sendable (ClientSession?) -> (@Sendable () -> Void)?
    ) {
        let worker = process.worker(of: client)
        let reactor = reactor
        worker.reactor.call { if let next = body(worker.session(of: client)) { reactor.call(next) } }
    }

    private func sendListeners() {
        link?.send(.welcome(version: HandOverMessage.version, process: getpid()))
        for socket in sockets() {
            guard let copy = socket.copy() else { return refuse("no descriptors are left") }
            link?.send(.listener(socket.address, ownsFile: socket.ownsFile), copy)
        }
        link?.send(.ready)
    }

    private func pause(for number: Int32, _ limit: UInt64?) {
        log.info("upgrade: process \(number) takes over from \(clientCount) clients")
        deadline = .after(limit.map { .milliseconds(Int64(clamping: $0)) })
        pauseProcess(true)
        for worker in process.workers { worker.reactor.call { worker.successor = self } }
        let timer = reactor.makeTimer(self)
        reactor.arm(timer, at: .now + Self.interval)
        self.timer = timer
        list()
    }

    // MARK: Clients

    private var clientCount: Int { process.workers.reduce(0) { $0 + $1.clientCount } }

    /// Finds out who is here.
    private func list() {
        listing = process.workers.count
        for worker in process.workers {
            let reactor = reactor
            worker.reactor.call {
                let clients = worker.sessions.map(\.owner)
                reactor.call { self.found(clients) }
            }
        }
    }

    private func found(_ clients: [UInt64]) {
        listed += clients.filter { known.insert($0).inserted }
        listing -= 1
        if listing > 0 { return }
        let new = listed
        listed = []
        perform(machine.phase == .pausing ? machine.began(new) : machine.came(new))
    }

    private func ask(_ client: UInt64) {
        with(client) { session in
            let answer = session.map(Transfer.ask) ?? .stays
            return {
                if answer == .notYet { self.known.remove(client) }
                self.perform(self.machine.answered(client))
            }
        }
    }

    /// A client can go, and stands still. From its worker's thread.
    func offer(_ state: ClientState, _ socket: PassedDescriptor, of client: UInt64) {
        reactor.call {
            if self.machine.offer(client, at: .now) {
                self.held[client] = (state, socket)
                self.link?.send(.client(client, state), socket)
            } else {
                self.perform(.stay(client, reason: "the new process is gone"))
            }
        }
    }

    /// A client that was offered is ended here. From its worker's thread.
    func ended(_ client: UInt64) {
        reactor.call {
            self.held[client] = nil
            self.perform(self.machine.ended(client))
        }
    }

    /// A client that was let go of, and that the new process has not served, goes on here.
    private func takeBack(_ client: UInt64) {
        guard let (state, socket) = held.removeValue(forKey: client) else { return }
        let worker = process.worker(of: client)
        worker.reactor.call {
            switch worker.adopt(state, socket, from: nil) {
            case .adopted(let owner): (worker.session(of: owner)?.stage as? Transfer)?.resume()
            case .declined(let reason): worker.log.error("\(state) is lost: \(reason)")
            }
        }
    }

    // MARK: Time and the end

    func handle(_ token: Int) {
        guard let timer else { return }
        reactor.arm(timer, at: .now + Self.interval)
        perform(machine.look(at: .now))
        if machine.phase == .handingOver, listing == 0 { list() }
        if deadline <= .now {
            deadline = .never
            process.abort(isStopping ? "graceful_shutdown_timeout_ms is over" : "upgrade_timeout is over")
        }
        if machine.phase == .handingOver, machine.isDone, clientCount == 0, link?.hasWritten != false,
            mayFinish()
        {
            log.info("upgrade: the last client is gone; \(given) went on in the new process")
            stopTimer()
            process.finish()
        }
    }

    private func stopTimer() {
        if let timer { reactor.disarm(timer) }
        timer = nil
    }

    private func serveAgain() {
        log.info("upgrade: \(given) clients were served by the new process, and are gone with it")
        for worker in process.workers { worker.reactor.call { worker.successor = nil } }
        pauseProcess(false)
    }

    private func close(_ reason: String) {
        log.info("upgrade: over: \(reason)")
        if !isStopping { stopTimer() }
        // The link holds on to this, and is in the middle of a call.
        let link = link
        self.link = nil
        reactor.call { link?.close() }
    }
}
