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
    /// Opens a connection and makes it ready for work. Not lazily: a connection that exists must be able to work.
    func connect(to backend: Backend, context: ConnectContext) async throws -> Connection

    /// Proves by a round trip that the connection works. Called for idle connections now and then, and before one
    /// is lent that was idle longer than ``Policy/validationBypass``.
    func isValid(_ connection: Connection) async throws

    /// Prepares a connection for its claimer; nil: nothing is to be prepared, and lending never suspends for it. Asked
    /// once, when the pool is made. If the hook throws, the connection is closed and the claim tries another, at most
    /// ``Policy/acquireRetries`` times, within its own deadline.
    var onAcquire: (@Sendable (Connection) async throws -> Void)? { get }

    /// Makes a returned connection clean, or throws and has it closed. Runs in the background.
    func onRecycle(_ connection: Connection) async throws

    /// Closes the connection for good. Also called for a connection that is still lent, when a lease is revoked,
    /// and for one whose check hangs: it must be safe beside another call.
    func close(_ connection: Connection) async

    /// Says against whom a failed connect or recycle counts. A recycle whose error is of kind ``FailureKind/other`` failed
    /// by what the claimer left behind: the connection is closed, and the backend is not blamed.
    func classify(_ error: any Error) -> FailureKind
}

extension Connector {
    /// Nothing is to be prepared.
    public var onAcquire: (@Sendable (Connection) async throws -> Void)? { nil }

    /// Validates.
    public func onRecycle(_ connection: Connection) async throws { try await isValid(connection) }

    /// Every failure counts against the backend.
    public func classify(_ error: any Error) -> FailureKind { .backend }
}
