// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
package import CaromReactor

extension PostgresConnector {
    /// Asks the server to cancel what the connection runs; see ``PostgresConnection/requestCancel(on:deadline:)``.
    ///
    /// - Parameter limit: how long it may take; `nil` for no limit.
    @discardableResult
    package func cancelRunningQuery(
        _ connection: PostgresConnection, on reactor: Reactor? = nil, within limit: Duration? = .seconds(2)
    ) async -> Bool {
        let deadline = limit.map { Reactor.now + UInt64(clamping: $0.nanoseconds) } ?? .max
        return await connection.requestCancel(on: reactor ?? connection.stream.reactor, deadline: deadline)
    }
}

extension PostgresConnection {
    /// Asks the server to cancel what the connection runs, and waits until the server has heard it.
    ///
    /// The server answers a CancelRequest by closing its connection; after that the signal is on its way and will not
    /// hit what is sent later (PostgreSQL protocol, "Canceling Requests in Progress"). Failures are not reported, as in
    /// the protocol itself: the query then just goes on.
    ///
    /// - Parameters:
    ///   - reactor: where to do it.
    ///   - deadline: when to give up, in ``Reactor/now`` nanoseconds.
    /// - Returns: false when the request was sent and nobody knows whether the server has heard it yet: it could hit a
    ///   later query, so the connection must not be used for one.
    package func requestCancel(on reactor: Reactor, deadline: UInt64) async -> Bool {
        await withTaskExecutorPreference(reactor) {
            let address = SocketAddress(backend.address)
            guard let stream = try? await Stream.connect(to: address, on: reactor, deadline: deadline) else {
                return true
            }
            defer { stream.close() }
            let conversation = Conversation(stream, Confined(ConnectionState()), deadline: deadline)
            defer { conversation.end() }
            var bytes: [UInt8] = []
            key.cancelRequest.encode(into: &bytes)
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
