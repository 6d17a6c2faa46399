// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// One way for a client to prove who it is: a machine that is told the client's answers. It has no socket.
protocol Authenticator {
    /// What the client is asked first.
    mutating func begin() -> AuthenticationRequest

    /// Judges the client's answer: the body of a message of type `p`.
    ///
    /// - Throws: how the session ends if the answer is malformed.
    mutating func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep

    /// Goes on with keys that it asked for by ``AuthenticationStep/derive(_:)``.
    mutating func receive(_ keys: SCRAMKeys) -> AuthenticationStep
}

extension Authenticator {
    /// Those that ask for no keys.
    func receive(_ keys: SCRAMKeys) -> AuthenticationStep { .refused }
}

/// What follows from a client's answer.
enum AuthenticationStep: Equatable {
    /// The client is asked on.
    case ask(AuthenticationRequest)
    /// Keys are to be made for it first, which takes longer than a loop may be kept.
    case derive(SCRAMKeyDerivation)
    /// The client is who it says; in some methods it is told a last thing before AuthenticationOk.
    case accepted(AuthenticationRequest?)
    /// It is not, or the route knows no password for it.
    case refused
}

extension RouteDefinition {
    /// The authenticator for a client of this route; nil if none is needed.
    ///
    /// - Parameters:
    ///   - channel: what the connection is encrypted with; nil if it is not.
    ///   - mockSecret: makes up the salt of a user without a usable verifier, so that the client cannot tell.
    /// - Throws: the refusal, for a route that lets nobody in, or not with the client's certificate.
    func authenticator(
        for startup: StartupMessage, over channel: SecureChannel?, mockSecret: [UInt8],
        using cryptography: OpenSSLCryptography
    ) throws(SessionEnd) -> (any Authenticator)? {
        switch authentication {
        case .none: return nil
        case .certificate:
            try checkCertificate(channel, of: startup.user)
            return nil
        case .block:
            throw .fatal(.invalidAuthorization, "user blocked: \(startup.database) \(startup.user)")
        case .clearText:
            return ClearTextAuthenticator(
                secret: storedSecret, user: startup.user, cryptography: cryptography)
        case .md5:
            return MD5Authenticator(secret: storedSecret, user: startup.user, cryptography: cryptography)
        case .scramSHA256:
            return SCRAMAuthenticator(
                verifier: verifier, user: startup.user, channelData: channel?.endPoint,
                mockSecret: mockSecret, cryptography: cryptography)
        }
    }

    /// The handshake has proved that the client has the key of its certificate; here it must be the right one's.
    private func checkCertificate(_ channel: SecureChannel?, of user: String) throws(SessionEnd) {
        guard let name = channel?.commonName else {
            throw .fatal(.invalidAuthorization, "connection requires a valid client certificate")
        }
        // By their bytes, as PostgreSQL does: names that only look the same are two.
        let names = settings.commonNames.isEmpty ? [user] : settings.commonNames
        guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
            throw .fatal(.invalidAuthorization, "certificate authentication failed for user \"\(user)\"")
        }
    }

    private var storedSecret: StoredSecret? { (settings.password?.reveal()).map { StoredSecret($0) } }
}
