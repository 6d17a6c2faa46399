// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import PostgresProtocol
package import Reactor

extension PostgresConnector {
    /// Asks the server to cancel what the connection runs, and waits until the server has heard it.
    ///
    /// The server answers a CancelRequest by closing its connection; after that the signal is on its way and will not
    /// hit what is sent later (PostgreSQL protocol, "Canceling Requests in Progress"). Failures are not reported, as in
    /// the protocol itself: the query then just goes on.
    ///
    /// - Parameter limit: how long it may take; `nil` for no limit.
    package func cancelRunningQuery(
        _ connection: PostgresConnection, on reactor: Reactor? = nil, within limit: Duration? = .seconds(2)
    ) async {
        let reactor = reactor ?? connection.stream.reactor
        let key = connection.key
        let address = SocketAddress(connection.backend.address)
        await withTaskExecutorPreference(reactor) {
            let deadline = limit.map { Reactor.now + UInt64(clamping: $0.nanoseconds) } ?? .max
            guard let stream = try? await Stream.connect(to: address, on: reactor, deadline: deadline) else {
                return
            }
            defer { stream.close() }
            let conversation = Conversation(stream, Confined(ConnectionState()), deadline: deadline)
            defer { conversation.end() }
            var bytes: [UInt8] = []
            key.cancelRequest.encode(into: &bytes)
            do throws(PostgresError) {
                try await conversation.send(bytes)
                _ = try await conversation.receiveByte()
            } catch {
                // The end of the stream is the answer.
            }
        }
    }
}
