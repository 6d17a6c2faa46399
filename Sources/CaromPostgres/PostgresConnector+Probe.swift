// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom
import CaromPostgresProtocol
package import CaromReactor
import CaromTCP

/// What became of the question whether a server is there.
package enum ServerPresence: Sendable {
    /// It has said something.
    case answering
    /// It has said nothing in time, although its kernel may have.
    case silent
    /// It cannot be reached, and whoever waits for it will hear so, too.
    case unreachable
}

extension PostgresConnector {
    /// Asks a server for TLS on a connection of its own, which any server answers before a login and without a session.
    package func presence(of backend: Backend, on reactor: Reactor, within limit: Duration) async
        -> ServerPresence
    {
        let deadline = Deadline.now + limit
        return await withTaskExecutorPreference(reactor) {
            do throws(PostgresError) {
                let transport = try await Self.connect(to: backend, on: reactor, deadline)
                defer { transport.close() }
                let conversation = Conversation(transport, ServerSession(), deadline: deadline)
                defer { conversation.end() }
                var request: [UInt8] = []
                StartupPacket.encodeSSLRequest(into: &request)
                try await conversation.send(request, isTrusted: false)
                _ = try await conversation.receiveByte()
                return .answering
            } catch {
                return error.code == .timedOut ? .silent : .unreachable
            }
        }
    }

    private static func connect(to backend: Backend, on reactor: Reactor, _ deadline: Deadline)
        async throws(PostgresError) -> Transport
    {
        do throws(SystemError) {
            return try await Transport.connect(
                to: SocketAddress(backend.address), on: reactor, deadline: deadline)
        } catch {
            throw PostgresError(error)
        }
    }
}
