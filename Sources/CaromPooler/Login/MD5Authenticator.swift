// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// PostgreSQL's MD5 exchange (`md5`): a hash of the password's hash and a salt.
struct MD5Authenticator: Authenticator {
    private let secret: StoredSecret?
    private let user: String
    private let cryptography: OpenSSLCryptography
    private let salt: [UInt8]

    /// - Parameter secret: what the response is checked against; nil refuses every response.
    init(secret: StoredSecret?, user: String, cryptography: OpenSSLCryptography) {
        self.secret = secret
        self.user = user
        self.cryptography = cryptography
        salt = cryptography.randomBytes(Self.saltSize)
    }

    /// The protocol's (AuthenticationMD5Password).
    private static var saltSize: Int { 4 }

    func begin() -> AuthenticationRequest { .md5Password(salt: salt) }

    func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep {
        let response = try ClearTextAuthenticator.password(in: body)
        guard let secret,
            secret.matches(md5Response: response, salt: salt, user: user, using: cryptography)
        else { return .refused }
        return .accepted(nil)
    }
}
