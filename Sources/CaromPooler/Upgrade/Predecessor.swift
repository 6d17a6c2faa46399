// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Glibc
import Synchronization

/// The process that this one takes over from: the shell around ``ArrivalMachine``. On the first reactor's thread, but where it says
/// otherwise.
final class Predecessor: @unchecked Sendable {
    // Unchecked: what is not a constant is the reactor's thread's own.
    private let takeover: Takeover
    private let process: ProcessParts
    private let log: PoolerLog
    private let reactor: Reactor
    private var machine: ArrivalMachine
    private var link: HandOverLink?
    private var beginning: UnsafeContinuation<TakeoverError?, Never>?
    /// Clients that were adopted and are not served yet: their numbers there, and their workers and numbers here.
    private var adopted: [UInt64: (worker: Worker, owner: UInt64)] = [:]
    private var nextWorker = 0
    private var taken = 0
    private let present = Atomic<Bool>(true)

    init(_ takeover: Takeover, _ process: ProcessParts) {
        self.takeover = takeover
        self.process = process
        machine = takeover.machine
        log = process.log
        reactor = process.reactor
    }

    /// It is there and may have clients. From any thread.
    var isPresent: Bool { present.load(ordering: .acquiring) }

    /// Has the old process stop accepting, and clients come here.
    ///
    /// - Throws: ``TakeoverError`` if the old process is gone, or does not go on.
    func begin(limit: Duration?) async throws(TakeoverError) {
        guard let descriptor = takeover.connection.take() else { throw TakeoverError("it was taken over") }
        do throws(SystemError) {
            link = try HandOverLink(
                descriptor, on: reactor,
                HandOverLink.Events(
                    received: { self.received($0, $1) },
                    ended: { reason, isGone in
                        self.perform(isGone ? self.machine.lost(reason) : self.machine.refuse(reason), nil)
                    },
                    cancel: { [process] request, arrived in
                        process.cancels.deliver(
                            request, from: .predecessor, on: process.workers[0], arrived)
                    }))
        } catch {
            throw TakeoverError("\(error)")
        }
        log.info("upgrade: taking over from process \(takeover.process)")
        let milliseconds = limit.map { UInt64(clamping: $0.nanoseconds / 1_000_000) }
        let error = await withUnsafeContinuation { continuation in
            beginning = continuation
            perform(machine.begin(process: getpid(), limit: milliseconds), nil)
            link?.begin()
        }
        if let error { throw error }
    }

    // MARK: What this process tells it; from any thread

    /// This process listens on these addresses and no others.
    func tell(listening addresses: [SocketAddress]) {
        reactor.call { self.link?.send(.listening(addresses)) }
    }

    /// This process was told to stop.
    func tellStop() { reactor.call { self.link?.send(.stop) } }

    /// Has it deal with a cancel whose client is not here.
    func pass(_ request: CancelRequest) async {
        await withTaskExecutorPreference(reactor) { await link?.pass(request) }
    }

    /// A client that is held has done something, or is ended.
    func used(_ client: UInt64) {
        reactor.call { self.perform(self.machine.used(client), nil) }
    }

    // MARK: What the machine says

    private func received(_ message: HandOverMessage, _ beside: PassedDescriptor?) {
        perform(machine.received(message), beside)
    }

    private func perform(_ actions: [ArrivalMachine.Action], _ beside: PassedDescriptor?) {
        for action in actions { perform(action, beside) }
    }

    private func perform(_ action: ArrivalMachine.Action, _ beside: PassedDescriptor?) {
        switch action {
        case .send(let message): link?.send(message)
        case .serve: finishBeginning(nil)
        case .adopt(let client, let state): if let beside { adopt(client, state, beside) }
        case .hold(let client): with(adopted[client]) { $0.hold() }
        case .run(let client):
            taken += 1
            // Before the client is heard the old process is to know, even if this one dies at that instant.
            guard let link else { return finish(client) { $0.resume() } }
            link.afterWriting { self.finish(client) { $0.resume() } }
        case .drop(let client): finish(client) { $0.depart() }
        case .fail(let reason), .close(let reason): close(reason)
        // These come before there are threads.
        case .keep, .prepare: break
        }
    }

    private func finishBeginning(_ error: TakeoverError?) {
        beginning?.resume(returning: error)
        beginning = nil
    }

    private func adopt(_ client: UInt64, _ state: ClientState, _ socket: PassedDescriptor) {
        let worker = process.workers[nextWorker % process.workers.count]
        nextWorker += 1
        let reactor = reactor
        worker.reactor.call {
            let origin = Transfer.Origin(predecessor: self, client: client)
            let result = worker.adopt(state, socket, from: origin)
            reactor.call { self.adopted(client, result, on: worker) }
        }
    }

    private func adopted(_ client: UInt64, _ result: Worker.Adoption, on worker: Worker) {
        switch result {
        case .adopted(let owner):
            adopted[client] = (worker, owner)
            perform(machine.adopted(client), nil)
        case .declined(let reason): perform(machine.declined(client, reason: reason), nil)
        }
    }

    private func finish(_ client: UInt64, _ body: @escaping @Sendable (Transfer) -> Void) {
        with(adopted.removeValue(forKey: client), body)
    }

    private func with(
        _ adopted: (worker: Worker, owner: UInt64)?, _ body: @escaping @Sendable (Transfer) -> Void
    ) {
        guard let (worker, owner) = adopted else { return }
        worker.reactor.call {
            if let transfer = worker.session(of: owner)?.stage as? Transfer { body(transfer) }
        }
    }

    private func close(_ reason: String) {
        log.info("upgrade: process \(takeover.process): \(reason); \(taken) clients came from it so far")
        let link = link
        self.link = nil
        // It is in the middle of a call.
        reactor.call { link?.close() }
        finishBeginning(TakeoverError("the running pooler does not hand over: \(reason)"))
        present.store(false, ordering: .releasing)
    }
}
