// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// What a client is checked against.
struct ClientSecret: Sendable {
    /// Nil refuses everybody.
    let secret: StoredSecret?
    /// With SCRAM; without one a client goes through the same exchange and is refused at its end.
    let verifier: SCRAMVerifier?
    /// Rounds that a client is asked for whom there is no verifier.
    let mockIterations: Int

    init(_ secret: StoredSecret?, verifier: SCRAMVerifier?) {
        self.secret = secret
        self.verifier = verifier
        mockIterations = SCRAM.defaultIterations
    }

    /// One that no password fits, and that is as fast to compare with as another.
    init(imitating other: ClientSecret?, using cryptography: some ProtocolCryptography) {
        secret = other?.secret?.madeUp(using: cryptography)
        verifier = nil
        mockIterations = other?.verifier?.iterations ?? other?.mockIterations ?? SCRAM.defaultIterations
    }

    var form: Secret.Form? {
        switch secret {
        case .plain?: .plain
        case .md5?: .md5
        case .scram?: .scramVerifier
        case nil: nil
        }
    }

    /// No more than a verifier is known.
    var isVerifier: Bool { if case .scram? = secret { true } else { false } }

    /// Rounds of hashing for a password in clear text.
    var iterations: Int? { if case .scram(let verifier)? = secret { verifier.iterations } else { nil } }
}

extension StoredSecret {
    /// One of the same form that no password fits: comparing with it costs the same.
    fileprivate func madeUp(using cryptography: some ProtocolCryptography) -> StoredSecret {
        switch self {
        case .plain: .plain(cryptography.randomBytes(32))
        case .md5:
            .md5(
                MD5Password.hash(user: "", password: cryptography.randomBytes(32), using: cryptography)
                    ?? Array("md5".utf8))
        case .scram(let verifier):
            .scram(
                SCRAMVerifier(
                    iterations: verifier.iterations, salt: cryptography.randomBytes(verifier.salt.count),
                    storedKey: cryptography.randomBytes(32), serverKey: cryptography.randomBytes(32)))
        }
    }
}
