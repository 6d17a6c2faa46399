// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a wait is over.
public enum Wake: Sendable {
    /// The waker was woken.
    case signaled
    /// The deadline has passed.
    case timedOut
    /// The task was cancelled.
    case cancelled
}

extension Reactor {
    /// Suspends until the waker is woken, the deadline has passed or the task is cancelled.
    ///
    /// A cancelled task does not wait. Of several reasons at once cancellation goes first, then the deadline. Call it on
    /// the reactor's thread.
    public func wait(for waker: Waker, until deadline: Deadline = .never) async -> Wake {
        if Task.isCancelled { return .cancelled }
        var timer: ReactorTimer?
        if deadline != .never {
            let made = makeTimer(waker)
            arm(made, at: deadline)
            timer = made
        }
        await withTaskCancellationHandler {
            await waker.wait()
        } onCancel: {
            wake(waker)
        }
        if let timer { disarm(timer) }
        if Task.isCancelled { return .cancelled }
        return timer != nil && deadline <= .now ? .timedOut : .signaled
    }

    /// Waits for so long. `false` when the task was cancelled before. Call it on the reactor's thread.
    public func sleep(for duration: Duration) async -> Bool {
        let waker = Waker()
        let deadline = Deadline.now + duration
        while true {
            switch await wait(for: waker, until: deadline) {
            case .signaled: continue
            case .timedOut: return true
            case .cancelled: return false
            }
        }
    }
}
