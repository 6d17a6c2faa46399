// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import CaromTLS

extension Conversation {
    /// Asks the server for TLS, before anything else is said, and shakes hands; or begins with that.
    ///
    /// - Returns: whether the server has it; if not, the conversation can go on in the open.
    /// - Throws: ``PostgresError`` with the code ``PostgresError/Code/encryption`` when TLS was agreed on and does not come about.
    func startTLS(_ encryption: ServerEncryption, to backend: Backend) async throws(PostgresError) -> Bool {
        if encryption.isDirect {
            try await shakeHands(encryption, backend)
            // Without the protocol's name this could be a server of another kind, whose answers somebody has us take for this one's.
            guard transport.session?.applicationProtocol != nil else {
                throw PostgresError(
                    .encryption,
                    "server \(backend.id) does not know direct TLS: it did not agree to \"postgresql\" (ALPN)"
                )
            }
            return true
        }
        var request: [UInt8] = []
        StartupPacket.encodeSSLRequest(into: &request)
        try await send(request, isTrusted: false)
        switch try await receiveByte() {
        case UInt8(ascii: "S"):
            try await shakeHands(encryption, backend)
            return true
        case UInt8(ascii: "N"): return false
        case UInt8(ascii: "E"):
            // Anybody on the path could have put words into its mouth.
            throw PostgresError(
                .encryption,
                "server \(backend.id) answered the request for TLS with an error, which came unencrypted and is not read"
            )
        case let other:
            throw PostgresError(
                .protocolViolation,
                "server \(backend.id) answered the request for TLS with \(tagText(other))")
        }
    }

    private func shakeHands(_ encryption: ServerEncryption, _ backend: Backend) async throws(PostgresError) {
        do throws(TLSError) {
            try transport.startTLS(
                encryption.context, host: encryption.name(of: backend),
                resumptionKey: backend.address.description, unread: session.state.unread.count)
        } catch {
            throw Self.failure(error, backend)
        }
        while true {
            do throws(TLSError) {
                if try transport.handshake() == .done { return }
            } catch {
                throw Self.failure(error, backend)
            }
            try await pauseForServer("to finish the TLS handshake")
        }
    }

    private static func failure(_ error: TLSError, _ backend: Backend) -> PostgresError {
        PostgresError(.encryption, "TLS with server \(backend.id): \(error)")
    }

    /// What SCRAM binds to: the hash of the server's certificate; nil in the open.
    var channelData: [UInt8]? { transport.session?.serverEndPoint }
}
