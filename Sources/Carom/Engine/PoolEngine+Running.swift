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
                unfinishedOperations: operations.load(ordering: .relaxed))
        }
    }

    func beginStop(grace: Int64?, then continuation: UnsafeContinuation<Void, Never>?) {
        let (over, resolving): (Bool, BackgroundTask?) = decide { state, now in
            if state.finished { return (true, nil) }
            if let continuation { state.stoppers.append(continuation) }
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
}
