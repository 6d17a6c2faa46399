// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import PostgresProtocol
package import Reactor

extension PostgresConnector {
    /// Asks the server to cancel what the connection runs; see ``PostgresConnection/requestCancel(on:)``.
    @discardableResult
    package func cancelRunningQuery(_ connection: PostgresConnection, on reactor: Reactor? = nil) async
        -> Bool
    {
        await connection.requestCancel(on: reactor ?? connection.stream.reactor)
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
    ///   - deadline: when to give up, in ``Reactor/now`` nanoseconds; after two seconds in any case.
    /// - Returns: false when the request was sent and nobody knows whether the server has heard it yet: it could hit a
    ///   later query, so the connection must not be used for one.
    package func requestCancel(on reactor: Reactor, deadline: UInt64 = .max) async -> Bool {
        await withTaskExecutorPreference(reactor) {
            let deadline = min(deadline, Reactor.now + UInt64(clamping: Self.cancelTimeout.nanoseconds))
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

    /// How long a cancel may take at most.
    private static var cancelTimeout: Duration { .seconds(2) }
}
