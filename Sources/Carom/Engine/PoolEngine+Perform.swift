// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension PoolEngine {
    /// Does what was decided. Outside the lock.
    func perform(_ work: PoolActions) {
        for item in work.items {
            switch item {
            case .connect(let task, let backend, let context): connect(task, backend, context)
            case .examine(let task, let box, let what): examine(task, box, what)
            case .cancel(let task): task.cancel()
            case .close(let task, let box): close(task, box)
            case .deliver(let handle, let ticket): handle.deliver(ticket)
            case .event(let event): observer?.observe(event)
            case .sleep(let task, let instant): sleep(task, until: instant)
            case .end: end()
            case .settle(let quota): quota.settle(now)
            }
        }
    }

    /// Calls the connector. The call is over before anybody is told of its end: a report that follows from it does not count it.
    private func start<Answer: Sendable>(
        _ task: BackgroundTask, affinity: Int?, _ call: @escaping @Sendable (PoolEngine) async -> Answer,
        then: @escaping @Sendable (PoolEngine, Answer) -> Void
    ) {
        operations.add(1, ordering: .relaxed)
        task.start(on: connector.executor(affinity) ?? executor) {
            let answer = await call(self)
            self.operations.subtract(1, ordering: .sequentiallyConsistent)
            then(self, answer)
            self.endIfWaitedFor()
        }
    }

    private func affinity(_ box: AnyPooledConnection) -> Int? {
        let affinity = affinity(of: box)
        return affinity == .noAffinity ? nil : affinity
    }

    private func connect(_ task: BackgroundTask, _ backend: Backend, _ context: ConnectContext) {
        start(task, affinity: context.affinity) { engine in
            var context = context
            let slot = context.slot
            context.attributesChanged = { engine.reviewAttributes(of: slot) }
            do {
                return Result<_, any Error>.success(
                    try await engine.connector.connect(engine, backend, context))
            } catch {
                return .failure(error)
            }
        } then: { engine, answer in
            switch answer {
            case .success(let box): engine.connected(box)
            case .failure(let error): engine.connectFailed(context.slot, backend.id, error)
            }
        }
    }

    private func connected(_ box: AnyPooledConnection) {
        let standing = connector.standing(box)
        box.attributesVersion.store(standing.attributesVersion, ordering: .relaxed)
        let learnt = connector.attributes(box)
        let accepted = decide { state, now in
            if state.core.find(box.slot) != nil {
                state.setBox(box, box.slot)
                state.setRunning(nil, box.slot)
            }
            let accepted = state.core.connected(
                box.slot, learnt: learnt, affinity: standing.affinity, now: now)
            if !accepted, state.box(box.slot) != nil { state.setBox(nil, box.slot) }
            return accepted
        }
        if !accepted { close(BackgroundTask(), box) }
    }

    private func connectFailed(_ slot: SlotID, _ backend: BackendID, _ error: any Error) {
        let kind = connector.classify(error)
        let reason = String(describing: error)
        decide { state, now in
            guard state.core.find(slot) != nil else { return }
            state.setRunning(nil, slot)
            state.errors[backend] = error
            state.core.connectFailed(slot, kind, reason, now: now)
        }
    }

    private func examine(_ task: BackgroundTask, _ box: AnyPooledConnection, _ what: PoolActions.Examination)
    {
        start(task, affinity: affinity(box)) { engine in
            do {
                switch what {
                case .check: try await engine.connector.isValid(box)
                case .recycle: try await engine.connector.onRecycle(box)
                case .acquire(let validate, let idle):
                    if validate {
                        try await engine.connector.isValid(box)
                    } else if !engine.connector.isUsable(box, idle) {
                        return Finding.unusable
                    }
                    if engine.connector.acquires { try await engine.connector.onAcquire(box) }
                }
                return .well
            } catch {
                return .failed(error)
            }
        } then: { engine, finding in
            if case .unusable = finding {
                engine.decide { state, now in
                    state.setRunning(nil, ifBoxOf: box.slot)
                    state.core.foundUnusable(box.slot, now: now)
                }
            } else {
                engine.examined(box, what, finding.error)
            }
        }
    }

    /// What came of a call on an open connection.
    private enum Finding: Sendable {
        case well
        /// The connector saw at a look that it is of no use.
        case unusable
        case failed(any Error)

        var error: (any Error)? { if case .failed(let error) = self { error } else { nil } }
    }

    private func examined(_ box: AnyPooledConnection, _ what: PoolActions.Examination, _ error: (any Error)?)
    {
        let reason = error.map { String(describing: $0) }
        let blame = error.map { connector.classify($0) != .other } ?? false
        let learnt = error == nil ? learnt(box, connector.standing(box)) : nil
        decide { state, now in
            state.setRunning(nil, ifBoxOf: box.slot)
            if let error, state.core.find(box.slot) != nil { state.errors[box.backend.id] = error }
            if let learnt { state.learn(box, learnt, now) }
            switch what {
            case .check: state.core.checked(box.slot, failure: reason, now: now)
            case .recycle: state.core.recycled(box.slot, failure: reason, blame: blame, now: now)
            case .acquire: state.core.acquired(box.slot, failure: reason, now: now)
            }
        }
    }

    private func close(_ task: BackgroundTask, _ box: AnyPooledConnection) {
        start(task, affinity: affinity(box)) { engine in
            await engine.connector.close(box)
        } then: { engine, _ in
            engine.decide { state, now in
                if state.core.find(box.slot) != nil { state.setRunning(nil, box.slot) }
                state.core.closed(box.slot, now: now)
            }
        }
    }

    private func sleep(_ task: BackgroundTask, until instant: Int64) {
        task.start(on: clock.executor ?? executor) {
            do {
                try await self.clock.sleep(until: PoolInstant(nanoseconds: instant))
            } catch {
                return
            }
            self.wake(task)
        }
    }

    /// Gives the observers the pool's numbers, if it is time.
    private func sampleIfDue() {
        if sampling == .never { return }
        let isDue = decide { state, now in
            if state.finished || now < state.sampleAt { return false }
            state.sampleAt = now.after(self.sampling)
            return true
        }
        if isDue { observer?.sample(stats()) }
    }

    private func wake(_ task: BackgroundTask) {
        decide { state, now in
            guard state.timer === task else { return }
            state.timer = nil
            state.armed = .never
            if state.core.isParkingUsed { state.core.counted(parked: state.countParked(), now: now) }
            state.core.tick(now)
            if state.complainAt <= now { state.complain(at: now, now: now) }
            if now >= state.core.sweepAt { state.sweep(now) }
        }
        sampleIfDue()
    }
}
