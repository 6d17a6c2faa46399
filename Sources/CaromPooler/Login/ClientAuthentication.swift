// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// How clients prove who they are, and what they are checked against: those of a route, or those who may not come and shall
/// not learn that before they have proved it (``MockAuthentication``).
final class ClientAuthentication: Sendable {
    let method: AuthenticationMethod
    /// Errors of our own carry the client's id (`client_show_id`).
    let showsID: Bool
    /// What a client is checked against with SCRAM; made once for a plain password, because making it is meant to be slow.
    let verifier: SCRAMVerifier?
    /// What it is checked against otherwise.
    private let secret: StoredSecret?
    private let commonNames: [String]
    /// Rounds that a client is asked for whom there is no verifier.
    private let mockIterations: Int

    /// What a client can notice of a check that fails: its messages but for the salt, and how long it takes.
    struct Appearance: Equatable {
        let method: AuthenticationMethod
        let form: Secret.Form?
        let iterations: Int?
        let showsID: Bool
    }

    /// - Parameters:
    ///   - previous: of the same route before; a verifier of the same password is kept.
    ///   - mockSecret: makes the salt for the password of a named user. It is the salt that the user would have if there were no
    ///     such user, so that nobody can tell.
    init(
        _ settings: RouteSettings, previous: (settings: RouteSettings, authentication: ClientAuthentication)?,
        mockSecret: [UInt8], cryptography: some ProtocolCryptography
    ) {
        method = settings.authentication
        showsID = settings.clientShowID
        commonNames = settings.commonNames
        secret = (settings.password?.reveal()).map { StoredSecret($0) }
        mockIterations = SCRAM.defaultIterations
        if method != .scramSHA256 {
            verifier = nil
        } else if let known = previous?.authentication.verifier,
            previous?.settings.password == settings.password
        {
            verifier = known
        } else if case .exact(let user) = settings.pattern.user {
            verifier = secret?.verifier(
                salt: SCRAM.mockSalt(user: user, secret: mockSecret, using: cryptography),
                using: cryptography)
        } else {
            verifier = secret?.verifier(
                salt: cryptography.randomBytes(SCRAM.saltSize), using: cryptography)
        }
    }

    /// One that looks like another and lets nobody in whose password is asked for.
    init(imitating other: ClientAuthentication?, using cryptography: some ProtocolCryptography) {
        method = other?.method ?? .scramSHA256
        showsID = other?.showsID ?? true
        commonNames = []
        verifier = nil
        mockIterations = other?.verifier?.iterations ?? SCRAM.defaultIterations
        secret = other?.secret?.madeUp(using: cryptography)
    }

    var appearance: Appearance {
        Appearance(
            method: method, form: method == .scramSHA256 ? nil : secret?.form,
            iterations: method == .scramSHA256 ? verifier?.iterations ?? mockIterations : secret?.iterations,
            showsID: showsID)
    }

    /// The authenticator for a client; nil if none is needed.
    ///
    /// - Parameters:
    ///   - channel: what the connection is encrypted with; nil if it is not.
    ///   - mockSecret: makes up the salt of a user without a usable verifier, so that the client cannot tell.
    /// - Throws: the refusal, where nobody may come, or not with the client's certificate.
    func authenticator(
        for startup: StartupMessage, over channel: SecureChannel?, mockSecret: [UInt8],
        using cryptography: OpenSSLCryptography
    ) throws(SessionEnd) -> (any Authenticator)? {
        switch method {
        case .none: return nil
        case .certificate:
            try checkCertificate(channel, of: startup.user)
            return nil
        case .block: throw .blocked(startup)
        case .clearText:
            return ClearTextAuthenticator(secret: secret, user: startup.user, cryptography: cryptography)
        case .md5:
            return MD5Authenticator(secret: secret, user: startup.user, cryptography: cryptography)
        case .scramSHA256:
            return SCRAMAuthenticator(
                verifier: verifier, user: startup.user, channelData: channel?.endPoint,
                mockSecret: mockSecret, mockIterations: mockIterations, cryptography: cryptography)
        }
    }

    /// The handshake has proved that the client has the key of its certificate; here it must be the right one's.
    private func checkCertificate(_ channel: SecureChannel?, of user: String) throws(SessionEnd) {
        guard let name = channel?.commonName else {
            throw .fatal(.invalidAuthorization, "connection requires a valid client certificate")
        }
        // By their bytes, as PostgreSQL does: names that only look the same are two.
        let names = commonNames.isEmpty ? [user] : commonNames
        guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
            throw .fatal(.invalidAuthorization, "certificate authentication failed for user \"\(user)\"")
        }
    }
}

extension StoredSecret {
    fileprivate var form: Secret.Form {
        switch self {
        case .plain: .plain
        case .md5: .md5
        case .scram: .scramVerifier
        }
    }

    fileprivate var iterations: Int? {
        if case .scram(let verifier) = self { verifier.iterations } else { nil }
    }

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
