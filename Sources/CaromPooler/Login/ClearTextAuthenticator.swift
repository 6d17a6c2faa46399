// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The password itself (`clear_text`).
struct ClearTextAuthenticator: Authenticator {
    /// What the password is checked against; nil refuses every password.
    let secret: StoredSecret?
    let user: String
    let cryptography: OpenSSLCryptography
    /// The client's keys are to open servers that have the same verifier.
    private let passesKeys: Bool
    private(set) var passedKeys: SCRAMUserKeys?

    init(secret: StoredSecret?, user: String, passesKeys: Bool = false, cryptography: OpenSSLCryptography) {
        self.secret = secret
        self.user = user
        self.passesKeys = passesKeys
        self.cryptography = cryptography
    }

    func begin() -> AuthenticationRequest { .cleartextPassword }

    func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep {
        let password = try Self.password(in: body)
        if case .scram(let verifier) = secret, !password.isEmpty {
            return .derive(verifier.derivation(of: password))
        }
        guard let secret, secret.matches(password: password, user: user, using: cryptography) else {
            return .refused
        }
        return .accepted(nil)
    }

    mutating func receive(_ keys: SCRAMKeys) -> AuthenticationStep {
        guard case .scram(let verifier) = secret, verifier.matches(keys, using: cryptography) else {
            return .refused
        }
        if passesKeys { passedKeys = SCRAMUserKeys(keys, of: verifier) }
        return .accepted(nil)
    }

    /// The text of a PasswordMessage.
    static func password(in body: [UInt8]) throws(SessionEnd) -> [UInt8] {
        do throws(WireError) {
            return try PasswordMessage(body: body.span.bytes).password
        } catch {
            throw .fatal(.protocolViolation, "\(error)")
        }
    }
}
