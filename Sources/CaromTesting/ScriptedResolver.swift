// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import Synchronization

/// A resolver that publishes what a test tells it to, when it is told to.
public final class ScriptedResolver: Resolver {
    private struct State {
        var latest: BackendSet?
        var publish: (@Sendable (BackendSet) -> Void)?
        var ended: UnsafeContinuation<Void, Never>?
        var isOver = false
        var runs = 0
    }
    private let state: Mutex<State>

    /// Begins with these backends, or silent if nil.
    public init(_ backends: [Backend]? = nil) {
        state = Mutex(State(latest: backends.map(BackendSet.init)))
    }

    /// How often ``run(_:)`` was called.
    public var runs: Int { state.withLock { $0.runs } }
    /// Whether somebody listens now.
    public var isRunning: Bool { state.withLock { $0.publish != nil } }

    /// Publishes a set, at once if somebody listens, else when somebody does.
    public func publish(_ backends: [Backend]) {
        let set = BackendSet(backends)
        let publish = state.withLock { state in
            state.latest = set
            return state.publish
        }
        publish?(set)
    }

    /// Lets ``run(_:)`` return although nobody cancelled it.
    public func end() {
        let ended = state.withLock { state in
            state.isOver = true
            state.publish = nil
            let ended = state.ended
            state.ended = nil
            return ended
        }
        ended?.resume()
    }

    /// Publishes what it has, and what it is told from then on, until it is cancelled or told to end.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        let latest = state.withLock { state in
            state.runs += 1
            state.publish = publish
            return state.latest
        }
        if let latest { publish(latest) }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let over = state.withLock { state in
                    if state.isOver || Task.isCancelled { return true }
                    state.ended = continuation
                    return false
                }
                if over { continuation.resume() }
            }
        } onCancel: {
            let ended = state.withLock { state in
                state.publish = nil
                let ended = state.ended
                state.ended = nil
                return ended
            }
            ended?.resume()
        }
        state.withLock { $0.publish = nil }
    }
}
