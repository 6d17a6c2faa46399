// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import Synchronization

/// A connector that follows a script and counts: what it opens and what is closed meet at the end of a test.
public final class FakeConnector: Connector {
    /// How one kind of call ends.
    public enum Outcome: Sendable {
        /// It succeeds.
        case succeed
        /// It throws a ``FakeError`` with these words.
        case fail(String)
        /// It does not end until it is cancelled; then it throws.
        case hang
        /// It does not end, cancelled or not, until ``FakeConnector/releaseHanging()``; then it succeeds.
        case hangIgnoringCancellation
    }

    /// What the connector does. May be changed at any time; calls under way keep what they began with.
    public struct Script: Sendable {
        /// How connects end, by backend. Default: they succeed.
        public var connect: @Sendable (Backend) -> Outcome = { _ in .succeed }
        /// How checks end.
        public var isValid: @Sendable (FakeConnection) -> Outcome = { _ in .succeed }
        /// How recycles end.
        public var onRecycle: @Sendable (FakeConnection) -> Outcome = { _ in .succeed }
        /// How closes end.
        public var close: @Sendable (FakeConnection) -> Outcome = { _ in .succeed }
        /// What is said of a returned connection.
        public var verdict: @Sendable (FakeConnection) -> ReturnVerdict = { _ in .clean }
        /// What is learnt on connecting.
        public var attributes: @Sendable (Backend) -> [String: String] = { _ in [:] }
        /// Against whom a failure counts.
        public var classify: @Sendable (any Error) -> FailureKind = { _ in .backend }
        /// How long a connect, check, hook or recycle takes on the script's clock.
        public var delay: Duration = .zero
        /// How long a connect takes, if not ``delay``.
        public var connectDelay: Duration?

        /// Everything succeeds at once.
        public init() {}
    }

    private struct State {
        var script: Script
        var connections: [FakeConnection] = []
        var attempts: [Attempt] = []
        var hanging: [UnsafeContinuation<Void, Never>] = []
        var calls = 0
    }

    /// One call of `connect`.
    public struct Attempt: Sendable {
        /// The backend asked for.
        public let backend: BackendID
        /// When.
        public let at: PoolInstant
        /// With what context.
        public let context: ConnectContext
    }

    private let state: Mutex<State>
    private let clock: any PoolClock

    /// A connector that lives by a clock and a script.
    public init(clock: any PoolClock = SystemPoolClock(), script: Script = Script()) {
        self.clock = clock
        state = Mutex(State(script: script))
    }

    /// The script in force.
    public var script: Script {
        get { state.withLock { $0.script } }
        set { state.withLock { $0.script = newValue } }
    }

    /// Every connection ever opened, in order.
    public var connections: [FakeConnection] { state.withLock { $0.connections } }
    /// Every connect begun, in order.
    public var attempts: [Attempt] { state.withLock { $0.attempts } }
    /// Connections opened.
    public var opened: Int { connections.count }
    /// Connections closed.
    public var closed: Int { connections.count { $0.closes > 0 } }
    /// Connections opened and not closed.
    public var open: Int { connections.count { $0.closes == 0 } }
    /// Whether no connection was closed twice.
    public var closedOnce: Bool { connections.allSatisfy { $0.closes <= 1 } }
    /// Calls of any kind.
    public var calls: Int { state.withLock { $0.calls } }

    /// Lets every call that hangs and ignores cancellation end.
    public func releaseHanging() {
        let hanging = state.withLock { state in
            let hanging = state.hanging
            state.hanging = []
            return hanging
        }
        for continuation in hanging { continuation.resume() }
    }

    private func play(_ outcome: Outcome, delay: Duration) async throws {
        if delay > .zero {
            try await clock.sleep(until: clock.now.advanced(by: delay))
        }
        switch outcome {
        case .succeed: return
        case .fail(let words): throw FakeError(words)
        case .hang: try await clock.sleep(until: PoolInstant(nanoseconds: .max))
        case .hangIgnoringCancellation:
            await withUnsafeContinuation { continuation in
                state.withLock { $0.hanging.append(continuation) }
            }
        }
    }

    private func next() -> Script {
        state.withLock { state in
            state.calls += 1
            return state.script
        }
    }
}

// MARK: Connector

extension FakeConnector {
    /// Opens a ``FakeConnection`` as the script says.
    public func connect(to backend: Backend, context: ConnectContext) async throws -> FakeConnection {
        let script = next()
        let attempt = Attempt(backend: backend.id, at: clock.now, context: context)
        state.withLock { $0.attempts.append(attempt) }
        try await play(script.connect(backend), delay: script.connectDelay ?? script.delay)
        return state.withLock { state in
            let connection = FakeConnection(
                number: state.connections.count + 1, backend: backend, context: context)
            state.connections.append(connection)
            return connection
        }
    }

    /// Succeeds or fails as the script says.
    public func isValid(_ connection: FakeConnection) async throws {
        connection.noteCheck()
        let script = next()
        try await play(script.isValid(connection), delay: script.delay)
    }

    /// Succeeds or fails as the script says.
    public func onRecycle(_ connection: FakeConnection) async throws {
        connection.noteRecycle()
        let script = next()
        try await play(script.onRecycle(connection), delay: script.delay)
    }

    /// The connection's verdict, else the script's.
    public func returned(_ connection: FakeConnection) -> ReturnVerdict {
        connection.verdict ?? script.verdict(connection)
    }

    /// What the connection says.
    public func isUsable(_ connection: FakeConnection, idleFor: Duration) -> Bool { connection.isUsable }

    /// What the connection says, else what the script says.
    public func attributes(of connection: FakeConnection) -> [String: String] {
        connection.attributes ?? script.attributes(connection.backend)
    }

    /// How often the connection's attributes were changed.
    public func attributesVersion(of connection: FakeConnection) -> Int { connection.attributesVersion }

    /// What the connection says.
    public func affinity(of connection: FakeConnection) -> Int? { connection.affinity }

    /// Counts, and ends as the script says.
    public func close(_ connection: FakeConnection) async {
        connection.noteClose()
        let script = next()
        try? await play(script.close(connection), delay: .zero)
    }

    /// What the script says.
    public func classify(_ error: any Error) -> FailureKind { script.classify(error) }
}
