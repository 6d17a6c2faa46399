// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// One resolver for many pools: however many listen, one runs.
///
/// The first pool's task runs it; when that pool goes, another's takes over and runs it anew. A pool that comes
/// later is told the last set at once.
public final class SharedResolver: Resolver {
    private struct State {
        var latest: BackendSet?
        var listeners: [Int: LatestSet] = [:]
        var nextListener = 0
        var leader: Int?
        var waiting: [(listener: Int, continuation: UnsafeContinuation<Turn, Never>)] = []
        var isOver = false
    }

    private enum Turn: Sendable {
        /// Run the resolver now.
        case lead
        /// Nothing more is to come, or nobody wants it.
        case leave
    }

    private let base: any Resolver
    private let state = Mutex(State())

    /// Shares this resolver.
    public init(_ base: any Resolver) {
        self.base = base
    }

    /// Listens until cancelled; runs the shared resolver if nobody else does.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        let listener = join(LatestSet(publish))
        switch await turn(listener) {
        case .leave: break
        case .lead:
            await base.run { self.spread($0) }
            if !Task.isCancelled { end() }
        }
        leave(listener)
    }

    private func join(_ latest: LatestSet) -> Int {
        let (listener, known) = state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = latest
            return (state.nextListener, state.latest)
        }
        if let known { latest.offer(known) }
        return listener
    }

    private func spread(_ set: BackendSet) {
        let listeners = state.withLock { state in
            state.latest = set
            return Array(state.listeners.values)
        }
        for listener in listeners { listener.offer(set) }
    }

    /// Waits until it is this listener's turn to lead, or until there is nothing to wait for.
    private func turn(_ listener: Int) async -> Turn {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let turn: Turn? = state.withLock { state in
                    if Task.isCancelled || state.isOver { return .leave }
                    if state.leader == nil {
                        state.leader = listener
                        return .lead
                    }
                    state.waiting.append((listener, continuation))
                    return nil
                }
                if let turn { continuation.resume(returning: turn) }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                state.waiting.firstIndex { $0.listener == listener }.map { state.waiting.remove(at: $0) }
            }
            waiting?.continuation.resume(returning: .leave)
        }
    }

    /// The resolver has said all it had to say.
    private func end() {
        let waiting = state.withLock { state in
            state.isOver = true
            let waiting = state.waiting
            state.waiting = []
            return waiting
        }
        for waiter in waiting { waiter.continuation.resume(returning: .leave) }
    }

    private func leave(_ listener: Int) {
        let next: UnsafeContinuation<Turn, Never>? = state.withLock { state in
            state.listeners[listener] = nil
            guard state.leader == listener else { return nil }
            state.leader = nil
            guard !state.isOver, !state.waiting.isEmpty else { return nil }
            let next = state.waiting.removeFirst()
            state.leader = next.listener
            return next.continuation
        }
        next?.resume(returning: .lead)
    }
}
