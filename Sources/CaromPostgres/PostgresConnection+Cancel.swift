// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
package import CaromReactor
import CaromTCP

extension PostgresConnector {
    /// Asks the server to cancel what the connection runs; see ``PostgresConnection/requestCancel(on:deadline:)``.
    ///
    /// - Parameter limit: how long it may take; `nil` for no limit.
    @discardableResult
    package func cancelRunningQuery(
        _ connection: PostgresConnection, on reactor: Reactor? = nil, within limit: Duration? = .seconds(2)
    ) async -> Bool {
        await connection.requestCancel(
            on: reactor ?? connection.transport.reactor, deadline: .after(limit))
    }
}

extension PostgresConnection {
    /// Asks the server to cancel what the connection runs, and waits until the server has heard it.
    ///
    /// The server answers a CancelRequest by closing its connection; after that the signal is on its way and will not
    /// hit what is sent later (PostgreSQL protocol, "Canceling Requests in Progress"). Failures are not reported, as in
    /// the protocol itself: the query then just goes on. The request is encrypted if the connection is.
    ///
    /// - Parameters:
    ///   - reactor: where to do it.
    ///   - deadline: when to give up.
    /// - Returns: false when the request was sent and nobody knows whether the server has heard it yet: it could hit a
    ///   later query, so the connection must not be used for one.
    package func requestCancel(on reactor: Reactor, deadline: Deadline) async -> Bool {
        await CancelExchange.run(key.cancelRequest, to: backend, encryption, on: reactor, deadline)
    }
}

/// One CancelRequest, on a connection of its own.
private enum CancelExchange {
    static func run(
        _ request: CancelRequest, to backend: Backend, _ encryption: ServerEncryption?, on reactor: Reactor,
        _ deadline: Deadline
    ) async -> Bool {
        await withTaskExecutorPreference(reactor) {
            let address = SocketAddress(backend.address)
            guard
                let transport = try? await Transport.connect(to: address, on: reactor, deadline: deadline)
            else { return true }
            defer { transport.close() }
            let conversation = Conversation(
                transport, ServerSession(), deadline: deadline)
            defer { conversation.end() }
            if let encryption {
                // Nothing was sent yet that could hit anything.
                guard (try? await conversation.startTLS(encryption, to: backend)) == true else { return true }
            }
            var bytes: [UInt8] = []
            request.encode(into: &bytes)
            do throws(PostgresError) {
                try await conversation.send(bytes)
                _ = try await conversation.receiveByte()
                return true
            } catch {
                // The end of the stream is the answer.
                return error.code == .connection
            }
        }
    }
}
