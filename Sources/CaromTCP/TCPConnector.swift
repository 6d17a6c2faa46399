// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
public import CaromReactor
import Glibc

/// Pools plain byte streams over TCP or Unix sockets.
///
/// Connections live on reactors; each stays on the one it was made on. Cancelling a connect, or reaching its time
/// limit, closes the socket.
public final class TCPConnector: Connector {
    /// Proves that a connection works, by a round trip in the protocol at hand. Anything it throws condemns the
    /// connection. The pool bounds it by `Policy.healthTimeout` through cancellation.
    public typealias Check = @Sendable (TCPConnection) async throws -> Void

    private let reactors: ReactorGroup
    private let options: TCPOptions
    private let check: Check?

    /// A connector whose connections are spread over the given reactors, which must have been started.
    ///
    /// - Parameters:
    ///   - reactors: at least one.
    ///   - options: of each socket.
    ///   - check: the proof of health, run for idle connections now and then and for each one that is returned;
    ///     nil trusts a connection while the kernel knows of neither an end nor unread bytes.
    public init(reactors: [Reactor], options: TCPOptions = TCPOptions(), check: Check? = nil) {
        precondition(!reactors.isEmpty, "a connector needs a reactor for its connections")
        self.reactors = ReactorGroup(reactors)
        self.options = options
        self.check = check
    }

    /// Connects.
    ///
    /// - Throws: `SystemError`, for example `ECONNREFUSED`, or `ETIMEDOUT` when the time of `context` is over.
    @concurrent public func connect(to backend: Backend, context: ConnectContext) async throws
        -> TCPConnection
    {
        try await TCPConnection.connect(
            to: backend, on: reactors.next(affinity: context.affinity), timeout: context.timeout,
            options: options)
    }

    /// Runs the check; without one looks whether the peer is there and silent.
    ///
    /// - Throws: what the check throws, or `SystemError` with `ECONNRESET`.
    public func isValid(_ connection: TCPConnection) async throws {
        if let check {
            try await check(connection)
        } else if connection.hasReadAhead || !connection.transport.isQuiet() {
            throw SystemError(code: ECONNRESET, operation: "check of \(connection)")
        }
    }

    /// Checked before it is lent again; without a check: clean if the peer is there and silent.
    public func returned(_ connection: TCPConnection) -> ReturnVerdict {
        if connection.transport.isClosed { return .discard(reason: "the connection was closed") }
        if connection.transport.isHungUp { return .discard(reason: "the peer has hung up") }
        if connection.isSpoilt { return .discard(reason: "a call on it has failed") }
        if connection.hasReadAhead { return .discard(reason: "unread bytes") }
        if check != nil { return .recycle }
        return connection.transport.isQuiet()
            ? .clean : .discard(reason: "unread bytes, or the peer has hung up")
    }

    /// Closed: a stream of bytes does not show whether an answer is still to come.
    public func returned(_ connection: TCPConnection, after error: any Error) -> ReturnVerdict {
        .discard(reason: "left with an error: \(error)")
    }

    /// Whether the peer has neither hung up nor spoken while the connection lay idle.
    public func isUsable(_ connection: TCPConnection, idleFor: Duration) -> Bool {
        !connection.hasReadAhead && connection.transport.isUndisturbed
    }

    /// The index of the reactor it lives on.
    public func affinity(of connection: TCPConnection) -> Int? { connection.transport.reactor.index }

    /// Closes the socket; a call that waits on it ends with an error.
    public func close(_ connection: TCPConnection) async { await connection.close() }

    /// A cancelled attempt counts against nobody.
    public func classify(_ error: any Error) -> FailureKind {
        (error as? SystemError)?.code == ECANCELED ? .other : .backend
    }
}
