// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Knows how to open, validate, clean and close connections of one kind.
///
/// Time bounds: the pool bounds every asynchronous call (connect by ``Policy/connectTimeout``, the others by
/// ``Policy/healthTimeout``, close by ``Policy/closeTimeout``). At the bound the call's task is cancelled and its
/// result no longer counts; a connection delivered late is closed. Be safe to cancel: free what you opened and
/// throw. A call that ignores cancellation delays nobody, but it keeps what it holds.
///
/// No call is made under a lock of the pool. Synchronous methods run on the claimer's thread: keep them cheap.
public protocol Connector<Connection>: Sendable {
    /// What a claim lends.
    associatedtype Connection: Sendable

    /// Opens a connection and makes it ready for work. Not lazily: a connection that exists must be able to work.
    func connect(to backend: Backend, context: ConnectContext) async throws -> Connection

    /// Proves by a round trip that the connection works. Called for idle connections now and then, and before one
    /// is lent that was idle longer than ``Policy/validationBypass``.
    func isValid(_ connection: Connection) async throws

    /// Prepares a connection for its claimer. Only called if ``acquires``. If it throws, the connection is closed
    /// and the claim tries another, at most ``Policy/acquireRetries`` times, within its own deadline.
    func onAcquire(_ connection: Connection) async throws

    /// Whether ``onAcquire(_:)`` does anything; asked once, when the pool is made.
    var acquires: Bool { get }

    /// Makes a returned connection clean, or throws and has it closed. Runs in the background.
    func onRecycle(_ connection: Connection) async throws

    /// Judges a connection that is just given back.
    func returned(_ connection: Connection) -> ReturnVerdict

    /// A last look, without waiting, at an idle connection about to be lent (has the peer hung up?). If it says no,
    /// the connection is closed and the next one is tried.
    func isUsable(_ connection: Connection, idleFor: Duration) -> Bool

    /// What is known of the connection, for example `["role": "primary"]`: what requirements of claims are matched
    /// against. Read after connecting, and whenever ``attributesVersion(of:)`` has risen or
    /// ``ConnectContext/attributesChanged`` was called.
    func attributes(of connection: Connection) -> [String: String]

    /// Rises whenever ``attributes(of:)`` has changed. Asked after each check, recycle, acquire hook and return, so it
    /// should cost no more than reading a number.
    func attributesVersion(of connection: Connection) -> Int

    /// The worker the connection sits on now. Read after connecting and whenever it is given back.
    func affinity(of connection: Connection) -> Int?

    /// Closes the connection for good. Also called for a connection that is still lent, when a lease is revoked,
    /// and for one whose check hangs: it must be safe beside another call.
    func close(_ connection: Connection) async

    /// Says against whom a failed connect counts.
    func classify(_ error: any Error) -> FailureKind

    /// Where the asynchronous calls for a connection run; nil leaves it to the pool. Asked before a connect with
    /// the affinity of the claim it is for, later with the affinity of the connection.
    func executor(affinity: Int?) -> (any TaskExecutor)?
}

extension Connector {
    /// Does nothing.
    public func onAcquire(_ connection: Connection) async throws {}

    /// False.
    public var acquires: Bool { false }

    /// Validates.
    public func onRecycle(_ connection: Connection) async throws { try await isValid(connection) }

    /// Recycles everything.
    public func returned(_ connection: Connection) -> ReturnVerdict { .recycle }

    /// True.
    public func isUsable(_ connection: Connection, idleFor: Duration) -> Bool { true }

    /// Nothing learnt.
    public func attributes(of connection: Connection) -> [String: String] { [:] }

    /// What was learnt on connecting stays true.
    public func attributesVersion(of connection: Connection) -> Int { 0 }

    /// No affinity.
    public func affinity(of connection: Connection) -> Int? { nil }

    /// Every failure counts against the backend.
    public func classify(_ error: any Error) -> FailureKind { .backend }

    /// The pool decides.
    public func executor(affinity: Int?) -> (any TaskExecutor)? { nil }
}
