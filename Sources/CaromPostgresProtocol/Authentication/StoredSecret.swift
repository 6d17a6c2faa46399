// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What is known about a user's password, in any of the forms PostgreSQL stores. Never described.
package enum StoredSecret: Equatable, Sendable {
    /// The password itself.
    case plain([UInt8])
    /// `md5` and 32 hexadecimal digits of password and user name.
    case md5([UInt8])
    case scram(SCRAMVerifier)

    /// Tells the form apart as PostgreSQL does (`get_password_type`): what is no well-formed hash is a
    /// password.
    package init(_ text: [UInt8]) {
        if MD5Password.isHash(text) {
            self = .md5(text)
        } else if let verifier = SCRAMVerifier(text) {
            self = .scram(verifier)
        } else {
            self = .plain(text)
        }
    }

    package init(_ text: String) { self.init(Array(text.utf8)) }

    /// Whether a password typed by the user is the right one. An empty one never is, as in PostgreSQL.
    package func matches(
        password: [UInt8], user: String, using cryptography: some ProtocolCryptography
    ) -> Bool {
        if password.isEmpty { return false }
        switch self {
        case .plain(let known):
            return cryptography.constantTimeEquals(known, password)
        case .md5(let known):
            guard let hash = MD5Password.hash(user: user, password: password, using: cryptography) else {
                return false
            }
            return cryptography.constantTimeEquals(known, hash)
        case .scram(let verifier):
            return verifier.matches(password: password, using: cryptography)
        }
    }

    /// Whether the answer to an MD5 request is right. A SCRAM verifier cannot tell, so the answer is no.
    package func matches(
        md5Response: [UInt8], salt: [UInt8], user: String, using cryptography: some ProtocolCryptography
    ) -> Bool {
        switch self {
        case .plain(let password):
            guard !password.isEmpty,
                let hash = MD5Password.hash(user: user, password: password, using: cryptography)
            else { return false }
            return MD5Password.verify(response: md5Response, hash: hash, salt: salt, using: cryptography)
        case .md5(let hash):
            return MD5Password.verify(response: md5Response, hash: hash, salt: salt, using: cryptography)
        case .scram:
            return false
        }
    }

    /// A verifier for a SCRAM login: the stored one, or one made from the password with this salt. Nil for
    /// MD5, which cannot be turned into one.
    package func verifier(
        salt: [UInt8], iterations: Int = SCRAM.defaultIterations,
        using cryptography: some ProtocolCryptography
    ) -> SCRAMVerifier? {
        switch self {
        case .plain(let password):
            guard !password.isEmpty else { return nil }
            return SCRAMVerifier(
                password: password, salt: salt, iterations: iterations, using: cryptography)
        case .md5: return nil
        case .scram(let verifier): return verifier
        }
    }
}

extension StoredSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        switch self {
        case .plain: "plain(redacted)"
        case .md5: "md5(redacted)"
        case .scram: "scram(redacted)"
        }
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
