// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

/// One attempt to connect, without blocking the thread.
struct ConnectAttempt {
    private let address: SocketAddress
    private let reactor: Reactor
    private let operation: String

    init(_ address: SocketAddress, on reactor: Reactor) {
        self.address = address
        self.reactor = reactor
        operation = "connect to \(address)"
    }

    /// Makes the attempt; see ``Transport/connect(to:on:deadline:options:)``.
    func run(until deadline: Deadline, _ options: TCPOptions) async throws(SystemError) -> Transport {
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw SystemError.last(operation) }
        let isConnected = try begin(descriptor)
        let attempt = Waker()
        let transport = try Transport(
            descriptor, address, reactor, isConnected ? nil : attempt, 0, connecting: !isConnected)
        if !isConnected { try await complete(transport, attempt, deadline) }
        transport.apply(options)
        return transport
    }

    /// Starts the attempt; `true` when it is already done. Closes the descriptor when it fails.
    private func begin(_ descriptor: Int32) throws(SystemError) -> Bool {
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

    private func complete(_ transport: Transport, _ attempt: Waker, _ deadline: Deadline)
        async throws(SystemError)
    {
        var wake = Wake.signaled
        while !transport.isWritable, wake == .signaled {
            wake = await reactor.wait(for: attempt, until: deadline)
        }
        guard transport.isWritable else {
            transport.close()
            throw SystemError(code: wake == .cancelled ? ECANCELED : ETIMEDOUT, operation: operation)
        }
        if let error = transport.takeError(operation) {
            transport.close()
            throw error
        }
        transport.setHandler(nil)
        transport.finishConnecting()
    }
}
