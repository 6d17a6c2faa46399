// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// SCRAM-SHA-256 and, over TLS, SCRAM-SHA-256-PLUS (RFC 7677).
struct SCRAMAuthenticator: Authenticator {
    private var server: SCRAMServer
    private let canBind: Bool
    private var hasChallenged = false
    private let cryptography: OpenSSLCryptography

    /// - Parameters:
    ///   - verifier: what the proof is checked against. Without one the client goes through the same exchange, with a salt made
    ///     from `mockSecret` and `mockIterations` rounds, and is refused at its end.
    ///   - channelData: what a client over TLS can bind to. One that could and says that we cannot is refused: somebody in
    ///     between has taken the offer away.
    init(
        verifier: SCRAMVerifier?, user: String, channelData: [UInt8]?, mockSecret: [UInt8],
        mockIterations: Int = SCRAM.defaultIterations, cryptography: OpenSSLCryptography
    ) {
        self.cryptography = cryptography
        canBind = channelData != nil
        let nonce = SCRAM.nonce(using: cryptography)
        if let verifier {
            server = SCRAMServer(verifier: verifier, channelData: channelData, nonce: nonce)
        } else {
            server = SCRAMServer(
                mockUser: user, secret: mockSecret, channelData: channelData, nonce: nonce,
                iterations: mockIterations, using: cryptography)
        }
    }

    func begin() -> AuthenticationRequest {
        .sasl(mechanisms: SCRAMServer.mechanisms(hasChannelData: canBind))
    }

    mutating func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep {
        do {
            if hasChallenged {
                return .accepted(.saslFinal(try server.verify(body, using: cryptography).message))
            }
            hasChallenged = true
            return .ask(.saslContinue(try server.challenge(SASLInitialResponse(body: body.span.bytes))))
        } catch let error as SCRAMError {
            if case .wrongPassword = error { return .refused }
            throw .fatal(error.sqlState, "SCRAM authentication failed: \(error)")
        } catch {
            throw .fatal(.protocolViolation, "\(error)")
        }
    }
}
