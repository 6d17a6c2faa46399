// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension PoolEngine {
    /// Claims the one run that a pool has.
    ///
    /// - Throws: ``PoolError`` with the code `hasRun` when somebody else has it.
    func beginRun() throws(PoolError) {
        let isFirst = decide { state, _ in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else {
            throw PoolError(code: .hasRun, details: .init(pool: name))
        }
    }

    /// Begins the background work and returns when the pool has stopped. ``beginRun()`` comes before it.
    func run() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                begin(continuation)
            }
        } onCancel: {
            beginStop(grace: 0, then: nil)
        }
        if sampling != .never { observer?.sample(stats()) }
    }

    private func begin(_ continuation: UnsafeContinuation<Void, Never>) {
        let task = BackgroundTask()
        let begun = decide { state, now in
            if state.finished { return false }
            state.sampleAt = now.after(self.sampling)
            state.runner = continuation
            state.resolving = task
            return true
        }
        guard begun else { return continuation.resume() }
        task.start(on: executor) {
            await self.resolver.run { set in
                #if Probes
                    PoolProbes(pool: self.name).resolved(set)
                #endif
                self.decide { state, now in state.core.resolved(set, now: now) }
            }
        }
        if Task.isCancelled { beginStop(grace: 0, then: nil) }
    }

    /// Stops; all callers return after the same end, with the same report.
    func stop(grace: Duration?) async -> StopReport {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            beginStop(grace: grace?.inNanoseconds, then: continuation)
        }
        return state.withLock { state in
            StopReport(
                revokedLeases: state.revoked, failedClaims: state.failedWaiters,
                unfinishedOperations: state.unfinished)
        }
    }

    func beginStop(grace: Int64?, then continuation: UnsafeContinuation<Void, Never>?) {
        let (over, resolving): (Bool, BackgroundTask?) = decide { state, now in
            if state.isOver { return (true, nil) }
            if let continuation { state.stoppers.append(continuation) }
            if state.finished { return (false, nil) }
            let end = now.after(max(0, grace ?? state.core.policy.stopGrace))
            state.endBy = min(state.endBy, end.after(PoolCore.lastCloseTime))
            state.parking.close()
            state.takeAllParked(now)
            state.failedWaiters += state.core.stop(grace: grace, now: now)
            let resolving = state.resolving
            state.resolving = nil
            return (false, resolving)
        }
        resolving?.cancel()
        if over { continuation?.resume() }
    }

    /// Nothing is left of the core. Operations that were cancelled for its end may not have had their turn yet: they get it, within
    /// the time that closes have, so that the report counts only those that ignore it.
    func end() {
        awaitsOperations.store(true, ordering: .sequentiallyConsistent)
        if tellEnd(ifQuiet: true) { return }
        // The last operation may end from here on, and tells the end itself: then the task is cancelled, or never begun.
        let task = BackgroundTask()
        let limit: Int64? = state.withLock { state in
            if state.isOver { return nil }
            state.ending = task
            return min(state.endBy, now.after(PoolCore.lastCloseTime))
        }
        guard let limit else { return }
        task.start(on: clock.executor ?? executor) {
            do {
                try await self.clock.sleep(until: PoolInstant(nanoseconds: limit))
            } catch {
                return
            }
            self.tellEnd(ifQuiet: false)
        }
    }

    /// An operation has ended: perhaps the last that the end waits for.
    func endIfWaitedFor() {
        if awaitsOperations.load(ordering: .sequentiallyConsistent) { tellEnd(ifQuiet: true) }
    }

    /// Tells everybody who waits that the pool has stopped. False: there are operations, and there is time.
    @discardableResult
    private func tellEnd(ifQuiet: Bool) -> Bool {
        let told: ([UnsafeContinuation<Void, Never>], BackgroundTask?)? = state.withLock { state in
            let left = operations.load(ordering: .sequentiallyConsistent)
            if ifQuiet, left > 0 { return nil }
            if !state.isOver { state.unfinished = left }
            state.isOver = true
            defer { (state.stoppers, state.runner, state.ending) = ([], nil, nil) }
            return (state.stoppers + (state.runner.map { [$0] } ?? []), state.ending)
        }
        guard let (waiting, ending) = told else { return false }
        ending?.cancel()
        for continuation in waiting { continuation.resume() }
        return true
    }
}
