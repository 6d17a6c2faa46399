// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a connector can say of a connection at a look, and where its calls run: for connectors that can do better than a
/// round trip, know roles or keep connections on threads. Everything has a default.
///
/// These methods run on the thread of whoever claims or gives back, outside the pool's lock: keep them cheap.
public protocol ConnectionInspector<Connection>: Sendable {
    /// What a claim lends.
    associatedtype Connection: Sendable

    /// Judges a connection that is just given back.
    func returned(_ connection: Connection) -> ReturnVerdict

    /// Judges a connection whose user failed with it, in ``Pool/withConnection(_:timeout:isolation:file:line:_:)`` or by
    /// ``Claim/recycle(after:)``: an answer may still be under way. A connector that cannot tell must not call it clean.
    func returned(_ connection: Connection, after error: any Error) -> ReturnVerdict

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

    /// Where the asynchronous calls for a connection run; nil leaves it to the pool. Asked before a connect with
    /// the affinity of the claim it is for, later with the affinity of the connection.
    func executor(affinity: Int?) -> (any TaskExecutor)?
}

extension ConnectionInspector {
    /// Recycles everything.
    public func returned(_ connection: Connection) -> ReturnVerdict { .recycle }

    /// As if nothing had failed.
    public func returned(_ connection: Connection, after error: any Error) -> ReturnVerdict {
        returned(connection)
    }

    /// True.
    public func isUsable(_ connection: Connection, idleFor: Duration) -> Bool { true }

    /// Nothing learnt.
    public func attributes(of connection: Connection) -> [String: String] { [:] }

    /// What was learnt on connecting stays true.
    public func attributesVersion(of connection: Connection) -> Int { 0 }

    /// No affinity.
    public func affinity(of connection: Connection) -> Int? { nil }

    /// The pool decides.
    public func executor(affinity: Int?) -> (any TaskExecutor)? { nil }
}
