// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Logging

#if ServiceLifecycle
    import ServiceLifecycle
#endif

/// Lends connections to the backends of a service.
///
/// A resolver says where the backends are, slots keep connections to them, a claim borrows one. Construction does
/// nothing yet: ``run()`` must run, in a task of the application's, for as long as the pool is used.
///
/// ```swift
/// let pool = try Pool(name: "orders", resolver: resolver, connector: connector)
/// async let running: Void = pool.run()
/// let answer = try await pool.withConnection { try await $0.ask("…") }
/// await pool.stop()
/// try await running
/// ```
public final class Pool<C: Connector>: Sendable {
    /// The pool's name, in events, logs and errors.
    public let name: String
    /// The connector it was made with.
    public let connector: C
    @usableFromInline let engine: PoolEngine

    /// A pool. Nothing happens before ``run()``.
    ///
    /// - Parameters:
    ///   - name: for events, logs and errors.
    ///   - resolver: says where the backends are.
    ///   - connector: knows how to open, check and close a connection.
    ///   - policy: every knob.
    ///   - logger: told what happens (``PoolLogging`` says at which levels); nil for silence.
    ///   - observers: told every event.
    ///   - clock: time; a test's own clock makes the pool deterministic.
    ///   - executor: where background work runs unless the connector says otherwise; nil for the default.
    ///   - seed: of the pool's randomness; nil draws one.
    /// - Throws: ``PolicyError`` if the policy contradicts itself.
    @inlinable
    public init(
        name: String, resolver: any Resolver, connector: C, policy: Policy = Policy(), logger: Logger? = nil,
        observers: [any PoolObserver] = [], clock: any PoolClock = SystemPoolClock(),
        executor: (any TaskExecutor)? = nil, seed: UInt64? = nil
    ) throws(PolicyError) {
        try policy.validate()
        self.name = name
        self.connector = connector
        let logging = logger.map { PoolLogging(logger: $0, pool: name) }
        engine = PoolEngine(
            name: name, policy: policy, connector: AnyConnector(connector), resolver: resolver,
            observers: (logging.map { [$0] } ?? []) + observers, clock: clock, executor: executor, seed: seed)
    }

    /// All background work. Returns when the pool has stopped: after ``stop(grace:)``, or, when the task is
    /// cancelled, at once (leases are revoked). Under ServiceLifecycle, graceful shutdown stops it with the policy's grace.
    ///
    /// - Throws: ``PoolError`` with the code `hasRun` when it was called before: a pool runs once.
    public func run() async throws(PoolError) {
        try engine.beginRun()
        #if ServiceLifecycle
            let engine = engine
            await withGracefulShutdownHandler {
                await engine.run()
            } onGracefulShutdown: {
                engine.beginStop(grace: nil, then: nil)
            }
        #else
            await engine.run()
        #endif
    }

    /// Lends a connection: at once and without suspension if one is idle, else in order of arrival.
    ///
    /// Cancelling the task leaves the queue at once; a connection being opened on its behalf is kept for the next.
    ///
    /// - Parameters:
    ///   - request: what the connection must and should be like.
    ///   - timeout: over the whole wait; 0 succeeds or fails at once, nil means the policy's.
    ///   - file: where it is claimed, for the report of a leak; leave it to the compiler.
    ///   - line: likewise.
    @inlinable
    public func claim(
        _ request: ClaimRequest = .any, timeout: Duration? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) async throws(PoolError) -> Claim<C.Connection> {
        if let box = engine.lendIdle(request, file: file, line: line) { return Claim(box) }
        return Claim(try await engine.lendLater(request, timeout: timeout, file: file, line: line))
    }

    /// Lends a connection for the duration of `body`, and takes it back however `body` ends. If it throws, the connector is
    /// told (``ConnectionInspector/returned(_:after:)``).
    ///
    /// - Throws: ``PoolError`` if there is no connection, and whatever `body` throws.
    @discardableResult
    @inlinable
    public func withConnection<R>(
        _ request: ClaimRequest = .any, timeout: Duration? = nil,
        isolation: isolated (any Actor)? = #isolation,
        file: StaticString = #fileID, line: UInt = #line, _ body: (C.Connection) async throws -> R
    ) async throws -> R {
        let claim = try await claim(request, timeout: timeout, file: file, line: line)
        do {
            let result = try await body(claim.connection)
            claim.recycle()
            return result
        } catch {
            claim.recycle(after: error)
            throw error
        }
    }
}
