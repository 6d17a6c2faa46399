// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Knows how to open, validate, clean and close connections of one kind.
///
/// Time bounds: the pool bounds every asynchronous call (connect by ``Policy/connectTimeout``, recycle by
/// ``Policy/recycleTimeout``, close by ``Policy/closeTimeout``, the others by ``Policy/healthTimeout``). At the bound the
/// call's task is cancelled and its result no longer counts; a connection delivered late is closed. Be safe to cancel: free
/// what you opened and throw. A call that ignores cancellation keeps what it holds, and that counts against
/// ``Policy/maxSlots`` until the call returns.
///
/// No call is made under a lock of the pool. Synchronous methods run on the claimer's thread: keep them cheap.
///
/// A connector may say more than this of its connections: see ``ConnectionInspector``, all of which has defaults.
public protocol Connector<Connection>: ConnectionInspector {
    /// What a claim lends. Said again here so that the compiler finds it in ``connect(to:context:)``: the methods of
    /// ``ConnectionInspector`` all have defaults.
    associatedtype Connection

    /// Opens a connection and makes it ready for work. Not lazily: a connection that exists must be able to work.
    func connect(to backend: Backend, context: ConnectContext) async throws -> Connection

    /// Proves by a round trip that the connection works. Called for idle connections now and then, and before one
    /// is lent that was idle longer than ``Policy/validationBypass``.
    func isValid(_ connection: Connection) async throws

    /// What ``onAcquire(_:)`` returns, of which no use is made: the compiler fills it in. ``NoPreparation`` says that there is
    /// no such hook.
    associatedtype Preparation = NoPreparation

    /// Prepares a connection for its claimer. A connector that has this method has it called before each loan; without it
    /// lending never suspends. If it throws, the connection is closed and the claim tries another, at most
    /// ``Policy/acquireRetries`` times, within its own deadline.
    func onAcquire(_ connection: Connection) async throws -> Preparation

    /// Makes a returned connection clean, or throws and has it closed. Runs in the background.
    func onRecycle(_ connection: Connection) async throws

    /// Closes the connection for good. Also called for a connection that is still lent, when a lease is revoked,
    /// and for one whose check hangs: it must be safe beside another call.
    func close(_ connection: Connection) async

    /// Says against whom a failed connect or recycle counts. A recycle whose error is of kind ``FailureKind/other`` failed
    /// by what the claimer left behind: the connection is closed, and the backend is not blamed.
    func classify(_ error: any Error) -> FailureKind
}

/// Says of a connector that it prepares nothing before a loan.
public struct NoPreparation: Sendable {
    init() {}
}

extension Connector where Preparation == NoPreparation {
    /// Nothing is to be prepared, and this is not called.
    public func onAcquire(_ connection: Connection) async throws -> NoPreparation { NoPreparation() }
}

extension Connector {
    /// Validates.
    public func onRecycle(_ connection: Connection) async throws { try await isValid(connection) }

    /// Every failure counts against the backend.
    public func classify(_ error: any Error) -> FailureKind { .backend }
}
