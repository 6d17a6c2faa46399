// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Logging

/// Lends connections to the backends of a service.
///
/// A resolver says where the backends are, slots keep connections to them, a claim borrows one. Construction does
/// nothing yet: ``run()`` must run, in a task of the application's, for as long as the pool is used.
///
/// ```swift
/// let pool = try Pool(name: "orders", resolver: resolver, connector: connector)
/// async let running: Void = pool.run()
/// let answer = try await pool.withConnection { try await $0.ask("…") }
/// ```
public final class Pool<C: Connector>: Sendable {
    /// The pool's name, in events, logs and errors.
    public let name: String
    /// The connector it was made with.
    public let connector: C
    let engine: PoolEngine

    /// A pool. Nothing happens before ``run()``.
    ///
    /// - Parameters:
    ///   - name: for events, logs and errors.
    ///   - resolver: says where the backends are.
    ///   - connector: knows how to open, check and close a connection.
    ///   - policy: every knob.
    ///   - logger: told what happens, at levels `debug` and `trace`; nil for silence.
    ///   - observer: told every event.
    ///   - clock: time; a test's own clock makes the pool deterministic.
    ///   - executor: where background work runs unless the connector says otherwise; nil for the default.
    ///   - seed: of the pool's randomness; nil draws one.
    /// - Throws: ``PolicyError`` if the policy contradicts itself.
    public init(
        name: String, resolver: any Resolver, connector: C, policy: Policy = Policy(), logger: Logger? = nil,
        observer: (any PoolObserver)? = nil, clock: any PoolClock = SystemPoolClock(),
        executor: (any TaskExecutor)? = nil, seed: UInt64? = nil
    ) throws(PolicyError) {
        try policy.validate()
        self.name = name
        self.connector = connector
        let logging = logger.map { PoolLogging(logger: $0, pool: name) }
        let observers: [any PoolObserver] = [logging, observer].compactMap { $0 }
        let observing: (any PoolObserver)? = observers.count > 1 ? PoolObservers(observers) : observers.first
        let erased = ErasedConnectorOf(connector)
        let core = PoolCore(
            policy: policy, seed: seed ?? .random(in: 0 ... .max), acquires: erased.acquires,
            observed: observing != nil, now: clock.now.nanoseconds)
        engine = PoolEngine(
            name: name, clock: clock, connector: erased, resolver: resolver, observer: observing,
            executor: executor, core: core)
    }

    /// All background work. Returns when the pool has stopped: after ``stop(grace:)``, or, when the task is
    /// cancelled, at once (leases are revoked). To be called once.
    public func run() async {
        await engine.run()
    }

    /// Lends a connection: at once and without suspension if one is idle, else in order of arrival.
    ///
    /// Cancelling the task leaves the queue at once; a connection being opened on its behalf is kept for the next.
    ///
    /// - Parameters:
    ///   - request: what the connection must and should be like.
    ///   - timeout: over the whole wait; 0 succeeds or fails at once, nil means the policy's.
    public func claim(
        _ request: ClaimRequest = .any, timeout: Duration? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) async throws(PoolError) -> Claim<C.Connection> {
        while true {
            if let box = engine.claimUsable(request) { return lend(box, file, line) }
            let ticket = await engine.wait(request, timeout: timeout)
            switch ticket.outcome {
            case .failed(let error): throw error
            case .served(let box, let idle):
                if Task.isCancelled {
                    engine.giveBack(box, .untouched)
                    throw engine.cancelled()
                }
                if idle == 0 || engine.connector.isUsable(box, idleFor: .nanoseconds(idle)) {
                    return lend(box, file, line)
                }
                engine.giveBack(box, .discard(.unusable, blame: false, suspect: false))
            }
        }
    }

    @inline(__always)
    func lend(_ box: any AnyConnectionBox, _ file: StaticString, _ line: UInt) -> Claim<C.Connection> {
        if engine.watchesLeaks {
            engine.note("\(file):\(line), task \(Task.name ?? "without a name")", for: box.slot)
        }
        return Claim(engine: engine, box: unsafeDowncast(box, to: ConnectionBox<C.Connection>.self))
    }

    /// Lends a connection for the duration of `body`, and takes it back however `body` ends.
    ///
    /// - Throws: ``PoolError`` if there is no connection, and whatever `body` throws.
    public func withConnection<R>(
        _ request: ClaimRequest = .any, timeout: Duration? = nil, isolation: isolated (any Actor)? = #isolation,
        file: StaticString = #fileID, line: UInt = #line, _ body: (C.Connection) async throws -> R
    ) async throws -> R {
        let claim = try await claim(request, timeout: timeout, file: file, line: line)
        do {
            let result = try await body(claim.connection)
            claim.recycle()
            return result
        } catch {
            claim.recycle()
            throw error
        }
    }
}
