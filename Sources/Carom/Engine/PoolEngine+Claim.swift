// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension PoolEngine {
    /// Lends an idle connection, or says that there is none to be lent without waiting. Connections that the
    /// connector finds dead on looking at them are closed on the way.
    @usableFromInline
    func lendIdle(_ request: borrowing ClaimRequest, file: StaticString, line: UInt) -> AnyPooledConnection? {
        while true {
            let now = now
            var idle: Int64 = 0
            var actions: PoolActions?
            let lent: AnyPooledConnection? = state.withLock { state in
                guard let slot = state.core.claimIdle(request, now: now) else { return nil }
                let index = Int(slot.index)
                guard let box = state.boxes[index] else {
                    preconditionFailure("a lent slot has no connection")
                }
                state.markLent(box)
                idle = now.since(state.core.slots[index].activeAt)
                actions = state.collect(now)
                return box
            }
            guard let lent else { return nil }
            if let actions { perform(actions) }
            if connector.isUsable(lent, idle) {
                noteClaim(lent, file: file, line: line)
                probeClaim(lent)
                return lent
            }
            giveBack(lent, .unusable)
        }
    }

    /// Waits for a connection, in order of arrival.
    @usableFromInline
    func lendLater(
        _ request: ClaimRequest, timeout: Duration?, file: StaticString, line: UInt
    ) async throws(PoolError) -> AnyPooledConnection {
        #if Tracing
            let span = ClaimSpan(pool: name)
            do throws(PoolError) {
                let box = try await serve(request, timeout: timeout, file: file, line: line)
                span.end(on: box.backend.id)
                return box
            } catch {
                span.end(with: error)
                throw error
            }
        #else
            return try await serve(request, timeout: timeout, file: file, line: line)
        #endif
    }

    private func serve(
        _ request: ClaimRequest, timeout: Duration?, file: StaticString, line: UInt
    ) async throws(PoolError) -> AnyPooledConnection {
        while true {
            let ticket = await wait(request, timeout: timeout)
            switch ticket.outcome {
            case .failed(let error): throw error
            case .served(let box, let idle):
                if Task.isCancelled {
                    giveBack(box, .untouched)
                    throw cancelled()
                }
                if idle == 0 || connector.isUsable(box, idle) {
                    noteClaim(box, file: file, line: line)
                    if ticket.waiter == nil { probeClaim(box) }
                    return box
                }
                giveBack(box, .unusable)
            }
        }
    }

    /// Lends, or lets the receiver wait.
    @usableFromInline
    func lendOrWait(
        _ request: ClaimRequest, timeout: Duration?, receiver: any ClaimReceiver, file: StaticString,
        line: UInt
    ) -> LeaseAttempt {
        while true {
            let (ticket, waiter) = claim(request, timeout: timeout, handle: .receiver(receiver), cell: nil)
            if let waiter { return .waiting(waiter) }
            guard let ticket else { preconditionFailure("a claim neither waits nor has an answer") }
            switch ticket.outcome {
            case .failed(let error): return .failed(error)
            case .served(let box, let idle):
                if connector.isUsable(box, idle) {
                    noteClaim(box, file: file, line: line)
                    probeClaim(box)
                    return .lent(box)
                }
                giveBack(box, .unusable)
            }
        }
    }

    /// Remembers where a connection was claimed, if leases are timed.
    @inline(__always)
    func noteClaim(_ box: AnyPooledConnection, file: StaticString, line: UInt) {
        if watchesLeaks { note("\(file):\(line), task \(Task.name ?? "without a name")", for: box.slot) }
    }

    /// Tells tracers of a claim that did not wait; of those that do they are told by an event.
    @inline(__always)
    private func probeClaim(_ box: AnyPooledConnection) {
        #if Probes
            if PoolProbes.watchesClaims {
                PoolProbes(pool: name).claimed(box.slot, box.backend.id, waited: .zero)
            }
        #endif
    }

    /// A claim in full for someone who can be reached by the handle: served, failed, or waiting.
    func claim(
        _ request: ClaimRequest, timeout: Duration?, handle: WaiterHandle, cell: WaitCell?
    ) -> (ClaimTicket?, WaiterID?) {
        let limit = timeout?.inNanoseconds
        return decide { state, now in
            if cell != nil, Task.isCancelled {
                return (.failed(state.error(.cancelled, since: now, now: now, causes: [])), nil)
            }
            #if Probes
                state.core.observesWaits =
                    PoolProbes.watchesClaims || self.observer?.observesWaits ?? false
            #endif
            let request = state.core.relaxed(request)
            state.takeParked(for: request, now)
            switch state.core.claim(request, timeout: limit, now: now) {
            case .hand(let slot):
                guard let box = state.box(slot) else { preconditionFailure("a lent slot has no connection") }
                state.markLent(box)
                let idle = now.since(state.core.slots[Int(slot.index)].activeAt)
                return (ClaimTicket(waiter: nil, outcome: .served(box, idle: idle)), nil)
            case .wait(let waiter):
                state.complain(at: now.after(PoolCore.patienceBeforeRun), now: now)
                state.setWaiter(handle, waiter)
                cell?.set(waiter)
                // What is left cannot serve this claim, but it may have to make room for a connection that can.
                state.takeAllParked(now)
                return (nil, waiter)
            case .fail(let code):
                state.complain(at: now, now: now)
                let causes = state.causes()
                let error = state.error(code, since: now, now: now, causes: causes, request.requirement)
                return (.failed(error), nil)
            }
        }
    }

    /// Waits in the queue. Cancelling the task leaves the queue at once.
    func wait(_ request: ClaimRequest, timeout: Duration?) async -> ClaimTicket {
        let cell = WaitCell()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let (ticket, _) = claim(request, timeout: timeout, handle: .task(continuation), cell: cell)
                if let ticket { continuation.resume(returning: ticket) }
            }
        } onCancel: {
            cancelWait(cell)
        }
    }

    private func cancelWait(_ cell: WaitCell) {
        let waiting: (WaiterHandle, ClaimTicket)? = decide { state, now in
            guard let waiter = cell.waiter, let index = state.core.queue.find(waiter) else { return nil }
            let since = state.core.queue.records[index].since
            guard state.core.cancel(waiter, now: now) else { return nil }
            let error = state.error(.cancelled, since: since, now: now, causes: [])
            return (state.takeWaiter(waiter), ClaimTicket(waiter: waiter, outcome: .failed(error)))
        }
        if let (handle, ticket) = waiting { handle.deliver(ticket) }
    }

    /// Takes a receiver out of the queue. False: it has been, or is being, called.
    func cancel(_ waiter: WaiterID) -> Bool {
        decide { state, now in
            guard state.core.cancel(waiter, now: now) else { return false }
            _ = state.takeWaiter(waiter)
            return true
        }
    }

    /// Takes back a connection as its connector judges it.
    @usableFromInline
    func giveBack(_ box: AnyPooledConnection) {
        let inspection = connector.inspect(box)
        giveBack(box, inspection.kind, inspection.standing)
    }

    /// The same after an error.
    @usableFromInline
    func giveBack(_ box: AnyPooledConnection, after error: any Error) {
        giveBack(box, connector.judge(box, error), connector.standing(box))
    }

    func giveBack(_ box: AnyPooledConnection, _ kind: ReturnKind) {
        giveBack(box, kind, connector.standing(box))
    }

    private func giveBack(_ box: AnyPooledConnection, _ kind: ReturnKind, _ standing: Standing) {
        let learnt = learnt(box, standing)
        let now = now
        let slot = box.slot
        var next = WaiterHandle.nobody
        var waiter: WaiterID?
        let actions: PoolActions? = state.withLock { state in
            state.countClaims(box)
            if let learnt { state.learn(box, learnt, now) }
            if kind.isSuspicious { state.takeAllParked(now) }
            let kind = state.core.isPressed ? state.underPressure(kind, now) : kind
            let decision = state.core.giveBack(slot, kind, affinity: standing.affinity, now: now)
            if !state.places.isEmpty, decision != .late { state.places[slot] = nil }
            if case .serve(let served) = decision {
                state.markLent(box)
                box.ticket.store(true, ordering: .relaxed)
                next = state.takeWaiter(served)
                waiter = served
            }
            return state.collect(now)
        }
        if let actions { perform(actions) }
        #if Probes
            if PoolProbes.watchesReturns { PoolProbes(pool: name).returned(slot, box.backend.id) }
        #endif
        if let waiter { next.deliver(ClaimTicket(waiter: waiter, outcome: .served(box, idle: 0))) }
    }

    @usableFromInline
    func discard(_ box: AnyPooledConnection, blame: Bool) {
        giveBack(box, .discard(.discarded, blame: blame, suspect: false))
    }

    /// Takes back a connection nobody gave back.
    @usableFromInline
    func forgotten(_ box: AnyPooledConnection) {
        giveBack(box, .discard(.forgotten, blame: false, suspect: false))
    }

    /// Remembers where a lease was claimed.
    func note(_ place: String, for slot: SlotID) {
        state.withLock { state in
            if state.core.find(slot) != nil { state.places[slot] = place }
        }
    }
}

/// What a claim by the callback door came to, without the connection's type.
@usableFromInline
enum LeaseAttempt {
    case lent(AnyPooledConnection)
    case waiting(WaiterID)
    case failed(PoolError)
}

/// Tells a cancellation handler which waiter its task has become, if it has.
final class WaitCell: Sendable {
    private let packed = Atomic<UInt64>(0)

    /// Called under the engine's lock, as is reading.
    func set(_ waiter: WaiterID) {
        packed.store(UInt64(waiter.generation) << 32 | UInt64(waiter.index + 1), ordering: .relaxed)
    }

    var waiter: WaiterID? {
        let value = packed.load(ordering: .relaxed)
        guard value != 0 else { return nil }
        return WaiterID(index: UInt32(truncatingIfNeeded: value) - 1, generation: UInt32(value >> 32))
    }
}

extension ReturnKind {
    /// The connector found it dead at a look.
    static var unusable: ReturnKind { .discard(.unusable, blame: false, suspect: false) }

    @usableFromInline
    init(_ verdict: ReturnVerdict) {
        switch verdict {
        case .clean: self = .clean
        case .recycle: self = .recycle
        case .discard: self = .discard(.discarded, blame: false, suspect: false)
        case .discardSuspectingBackend: self = .discard(.discarded, blame: true, suspect: true)
        }
    }

    /// The backend's other connections are to be checked.
    var isSuspicious: Bool {
        if case .discard(_, _, suspect: true) = self { return true }
        return false
    }
}
