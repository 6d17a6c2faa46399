// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import CaromReactor
import Glibc

extension Transport {
    /// Connects without blocking the thread.
    ///
    /// Call it on the reactor's thread. Cancelling the task ends the attempt with `ECANCELED`.
    ///
    /// - Parameters:
    ///   - address: where to.
    ///   - reactor: where the transport will live.
    ///   - deadline: when to give up; then the error is `ETIMEDOUT`.
    ///   - options: of the socket.
    /// - Returns: a transport without a handler.
    /// - Throws: `SystemError` as the kernel reports it, for example `ECONNREFUSED`.
    public static func connect(
        to address: SocketAddress, on reactor: Reactor, deadline: Deadline = .never,
        options: TCPOptions = TCPOptions()
    ) async throws(SystemError) -> Transport {
        let operation = "connect to \(address)"
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw SystemError.last(operation) }
        let isConnected = try begin(descriptor, address, operation)
        let attempt = Waker()
        let transport = try Transport(
            descriptor, address, reactor, isConnected ? nil : attempt, 0, connecting: !isConnected)
        if !isConnected { try await transport.awaitConnection(attempt, deadline, operation) }
        transport.apply(options)
        return transport
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

    private func awaitConnection(_ attempt: Waker, _ deadline: Deadline, _ operation: String)
        async throws(SystemError)
    {
        var wake = Wake.signaled
        while !isWritable, wake == .signaled { wake = await reactor.wait(for: attempt, until: deadline) }
        guard isWritable else {
            close()
            throw SystemError(code: wake == .cancelled ? ECANCELED : ETIMEDOUT, operation: operation)
        }
        if let error = takeError(operation) {
            close()
            throw error
        }
        setHandler(nil)
        finishConnecting()
    }
}
