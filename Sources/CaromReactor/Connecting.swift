// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

extension Stream {
    /// Connects without blocking the thread.
    ///
    /// Call it on the reactor's thread. Cancelling the task ends the attempt with `ECANCELED`.
    ///
    /// - Parameters:
    ///   - address: where to.
    ///   - reactor: where the stream will live.
    ///   - deadline: when to give up, in ``Reactor/now`` nanoseconds; then the error is `ETIMEDOUT`.
    ///   - waker: what the caller waits on afterwards; `nil` leaves the stream without one.
    ///   - options: of the socket.
    /// - Throws: ``SystemError`` as the kernel reports it, for example `ECONNREFUSED`.
    public static func connect(
        to address: SocketAddress, on reactor: Reactor, deadline: UInt64, waker: Waker? = nil,
        options: TCPOptions = TCPOptions()
    ) async throws(SystemError) -> Stream {
        let operation = "connect to \(address)"
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw SystemError.last(operation) }
        let started = try begin(descriptor, address, operation)
        let attempt = Waker()
        let stream = try Stream(adopting: descriptor, peer: address, on: reactor, waker: attempt)
        if !started { try await stream.awaitConnection(attempt, deadline, operation) }
        stream.apply(options)
        stream.waker = waker
        return stream
    }

    /// Starts the attempt; `true` when it is already done. Closes the descriptor when it fails.
    private static func begin(_ descriptor: Int32, _ address: SocketAddress, _ operation: String)
        throws(SystemError) -> Bool
    {
        do throws(SystemError) {
            return try address.withSockaddr { (pointer, length) throws(SystemError) in
                if Glibc.connect(descriptor, pointer, length) == 0 { return true }
                // EAGAIN: a Unix listener whose backlog is full refuses; there is nothing to wait for.
                if errno == EINPROGRESS { return false }
                throw SystemError.last(operation)
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    private func awaitConnection(_ attempt: Waker, _ deadline: UInt64, _ operation: String)
        async throws(SystemError)
    {
        let timer = reactor.makeTimer(attempt)
        reactor.arm(timer, at: deadline)
        defer { reactor.disarm(timer) }
        let reactor = reactor
        await withTaskCancellationHandler {
            while !isWritable, !timer.isDue(at: Reactor.now), !Task.isCancelled { await attempt.wait() }
        } onCancel: {
            reactor.wake(attempt)
        }
        guard isWritable else {
            close()
            throw SystemError(code: Task.isCancelled ? ECANCELED : ETIMEDOUT, operation: operation)
        }
        if let error = takeError(operation) {
            close()
            throw error
        }
    }
}
