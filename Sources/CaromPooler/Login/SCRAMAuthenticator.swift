// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// SCRAM-SHA-256 and, over TLS, SCRAM-SHA-256-PLUS (RFC 7677).
struct SCRAMAuthenticator: Authenticator {
    private var server: SCRAMServer
    private let canBind: Bool
    /// The client's keys are kept for servers that have this verifier.
    private let passedVerifier: SCRAMVerifier?
    private(set) var passedKeys: SCRAMUserKeys?
    private var hasChallenged = false
    private let cryptography: OpenSSLCryptography

    /// - Parameters:
    ///   - verifier: what the proof is checked against. Without one the client goes through the same exchange, with a salt made
    ///     from `mockSecret` and `mockIterations` rounds, and is refused at its end.
    ///   - channelData: what a client over TLS can bind to. One that could and says that we cannot is refused: somebody in
    ///     between has taken the offer away.
    ///   - passesKeys: the client's keys are to open servers that have the same verifier.
    init(
        verifier: SCRAMVerifier?, user: String, channelData: [UInt8]?, mockSecret: [UInt8],
        mockIterations: Int = SCRAM.defaultIterations, passesKeys: Bool = false,
        cryptography: OpenSSLCryptography
    ) {
        self.cryptography = cryptography
        passedVerifier = passesKeys ? verifier : nil
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
                let accepted = try server.verify(body, using: cryptography)
                passedKeys = passedVerifier.map { SCRAMUserKeys(accepted.keys, of: $0) }
                return .accepted(.saslFinal(accepted.message))
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
