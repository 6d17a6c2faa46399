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
    private let local: UnsafeSingleOwner<Local>

    /// What only the worker's thread touches.
    private struct Local {
        let buffer: UnsafeMutableRawBufferPointer
        let waker = Waker()
        var snapshot: Snapshot
        var arrivals: [Arrival] = []
        var sessions: [UInt64: ClientSession] = [:]
        var nextOwner: UInt64
        var isStopping = false
    }

    /// A client that was accepted and is to be served here.
    struct Arrival: Sendable {
        let accepted: Listener.Accepted
        let listener: ListenerDefinition
    }

    init(
        reactor: Reactor, router: Router, cancels: CancelRegistry, admission: Admission,
        console: ConsoleContext, presence: ClientPresence, log: PoolerLog, snapshot: Snapshot
    ) {
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
                nextOwner: UInt64(reactor.index) << 48 | 1))
    }

    deinit { local.value.buffer.deallocate() }

    /// What is configured now. Only on the worker's thread.
    var snapshot: Snapshot { local.value.snapshot }

    /// Uses another snapshot for clients to come, from any thread.
    func use(_ snapshot: Snapshot) {
        reactor.call { self.local.value.snapshot = snapshot }
    }

    /// Where every session of this worker reads to. Its content lasts until the next suspension.
    var buffer: UnsafeMutableRawBufferPointer { local.value.buffer }

    /// Hands a client over, from any thread.
    func deliver(_ arrival: Arrival) {
        if reactor.isCurrent { accept(arrival) } else { reactor.call { self.accept(arrival) } }
    }

    private func accept(_ arrival: Arrival) {
        local.value.arrivals.append(arrival)
        local.value.waker.wake()
    }

    /// Serves clients until ``stop()``, and then until the last one has gone. Runs on the worker's thread.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !local.value.isStopping {
                for arrival in local.value.arrivals {
                    group.addTask(executorPreference: reactor) { await self.serve(arrival) }
                }
                local.value.arrivals.removeAll()
                if !local.value.isStopping { await local.value.waker.wait() }
            }
        }
    }

    private func serve(_ arrival: Arrival) async {
        guard let session = begin(arrival) else { return }
        await session.run()
        end(session)
    }

    // Apart from `serve`, and not inlined: what a coroutine's own body uses, its task keeps for as long as it runs.
    @inline(never)
    private func begin(_ arrival: Arrival) -> ClientSession? {
        let accepted = arrival.accepted
        let stream: Transport
        do throws(SystemError) {
            stream = try Transport(adopting: accepted.descriptor, peer: accepted.peer, on: reactor)
        } catch {
            log.error("client from \(accepted.peer): \(error)")
            return nil
        }
        let owner = local.value.nextOwner
        local.value.nextOwner += 1
        let session = ClientSession(worker: self, stream: stream, owner: owner, listener: arrival.listener)
        local.value.sessions[owner] = session
        presence.enter()
        if local.value.isStopping { session.stop() }
        return session
    }

    @inline(never)
    private func end(_ session: ClientSession) {
        local.value.sessions[session.owner] = nil
        presence.leave()
    }

    /// Cancels what a client of this worker has under way, and waits until the server knows.
    func cancelQuery(of owner: UInt64) async {
        await withTaskExecutorPreference(reactor) {
            guard let session = local.value.sessions[owner], let (server, connector) = session.beginCancel()
            else {
                return
            }
            await connector.cancelRunningQuery(server, on: reactor, within: snapshot.settings.cancelTimeout)
            session.endCancel()
        }
    }

    /// Clients that are connected to this worker's listeners or being served; exact on its own thread.
    var clientCount: Int { presence.count }

    /// Takes no more clients, and ends each of those that are here when it holds no server. From any thread.
    func stop() {
        reactor.call {
            self.local.value.isStopping = true
            for session in self.local.value.sessions.values { session.stop() }
            self.local.value.waker.wake()
        }
    }

    /// Ends the clients that still hold a server, too.
    func abort() {
        reactor.call {
            for session in self.local.value.sessions.values { session.abort() }
        }
    }
}
