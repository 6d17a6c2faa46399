// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// One piece of background work: a connector's call, the resolver, the timer.
///
/// This is the one place where the library starts unstructured tasks. A structured child could not be left behind,
/// and a connector that hangs and ignores cancellation would hold up `run()` and `stop()` for ever. Instead every
/// operation is owned by an engine, is only begun between the start and the end of `run()` (closes and the timer
/// excepted), has a deadline in the core, is cancelled at that deadline or at the end, and reports its result by
/// slot id, so that a late one is recognised and closed. What still hangs when `run()` returns is counted in the
/// report of `stop()`.
final class BackgroundTask: Sendable {
    private enum Phase {
        case planned
        case running(Task<Void, Never>)
        case cancelled
    }
    private let phase = Mutex(Phase.planned)

    /// Begins the work, on an executor if one is given.
    func start(on executor: (any TaskExecutor)?, _ body: @escaping @Sendable () async -> Void) {
        let task = Task.detached(executorPreference: executor, operation: body)
        let cancelled = phase.withLock { phase in
            switch phase {
            case .planned, .running:
                phase = .running(task)
                return false
            case .cancelled: return true
            }
        }
        if cancelled { task.cancel() }
    }

    /// Cancels the work, also if it has not begun yet.
    func cancel() {
        let task: Task<Void, Never>? = phase.withLock { phase in
            let before = phase
            phase = .cancelled
            switch before {
            case .running(let task): return task
            case .planned, .cancelled: return nil
            }
        }
        task?.cancel()
    }
}
