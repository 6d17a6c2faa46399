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
    private let source: Source
    private let commonNames: [String]
    /// Servers are opened with the keys of clients, unless more than a verifier is known.
    private let passesKeys: Bool
    /// A line of the `hba_file` says by which method, and may name who checks passwords.
    private let followsLine: Bool

    /// Where it is known what a client is checked against.
    private enum Source: Sendable {
        case fixed(ClientSecret)
        case file(UserListFile)
        /// It has to be asked for at each login.
        case query(AuthQueryDefinition)
        /// It is known elsewhere.
        case service(PasswordService)
    }

    /// What a client can notice of a check that fails: its messages but for the salt, and how long it takes.
    struct Appearance: Equatable {
        let method: AuthenticationMethod
        let form: Secret.Form?
        let iterations: Int?
        let showsID: Bool
    }

    /// - Parameters:
    ///   - users: of the route's `auth_file`, if it has one.
    ///   - query: its `auth_query`, if it has one.
    ///   - followsLine: a line of the `hba_file` says by which method.
    ///   - previous: of the same route before; a verifier of the same password is kept.
    ///   - mockSecret: makes the salt for the password of a named user. It is the salt that the user would have if there were no
    ///     such user, so that nobody can tell.
    init(
        _ settings: RouteSettings, users: UserListFile? = nil, query: AuthQueryDefinition? = nil,
        followsLine: Bool = false,
        previous: (settings: RouteSettings, authentication: ClientAuthentication)?, mockSecret: [UInt8],
        cryptography: some ProtocolCryptography
    ) {
        method = settings.authentication
        showsID = settings.clientShowID
        commonNames = settings.commonNames
        passesKeys = settings.storagePassword == nil
        self.followsLine = followsLine
        if method == .clearText, let service = PasswordService(of: settings) {
            source = .service(service)
            return
        }
        if let users {
            source = .file(users)
            return
        }
        if let query, method.needsPassword {
            source = .query(query)
            return
        }
        let secret = (settings.password?.reveal()).map { StoredSecret($0) }
        let verifier: SCRAMVerifier?
        if method != .scramSHA256 {
            // It is made once for a plain password, because making it is meant to be slow.
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
        source = .fixed(ClientSecret(secret, verifier: verifier))
    }

    /// One that looks like another. It lets nobody in whose password is asked for, but the users of the other one's file: as they are asked
    /// for the same they cannot be told from strangers.
    init(imitating other: ClientAuthentication?, using cryptography: some ProtocolCryptography) {
        method = other?.method ?? .scramSHA256
        showsID = other?.showsID ?? true
        commonNames = []
        passesKeys = false
        followsLine = other?.followsLine ?? false
        switch other?.source {
        case .file(let users)?: source = .file(users)
        case .query(let query)?: source = .query(query)
        // Whoever it lets in is told only then that there is nothing to be let into.
        case .service(let service)?: source = .service(service)
        case .fixed(let secret)?:
            source = .fixed(ClientSecret(imitating: secret, using: cryptography))
        case nil: source = .fixed(ClientSecret(imitating: nil, using: cryptography))
        }
    }

    /// One whose passwords a service checks, because the client's line in the `hba_file` says so.
    private init(by service: PasswordService, inPlaceOf other: ClientAuthentication) {
        method = .clearText
        showsID = other.showsID
        commonNames = []
        passesKeys = false
        followsLine = true
        source = .service(service)
    }

    /// The same, but for who checks passwords.
    ///
    /// - Parameter service: whom the client's line in the `hba_file` names; nil if none.
    func following(_ service: PasswordService?) -> ClientAuthentication {
        guard let service, followsLine else { return self }
        return ClientAuthentication(by: service, inPlaceOf: self)
    }

    /// What clients of the one route are checked against with SCRAM; nil if that depends on the user.
    var verifier: SCRAMVerifier? {
        if case .fixed(let secret) = source { secret.verifier } else { nil }
    }

    /// Nil if it depends on the user.
    var appearance: Appearance? {
        guard case .fixed(let secret) = source else { return nil }
        let isSCRAM = method == .scramSHA256
        return Appearance(
            method: method, form: isSCRAM ? nil : secret.form,
            iterations: isSCRAM ? secret.verifier?.iterations ?? secret.mockIterations : secret.iterations,
            showsID: showsID)
    }

    /// What is to be asked first, of a server; the answer goes to ``authenticator(for:over:found:mockSecret:using:)``.
    var query: AuthQueryDefinition? { if case .query(let query) = source { query } else { nil } }

    /// What a client is checked against.
    private func secret(of user: String) -> ClientSecret {
        switch source {
        case .fixed(let secret): secret
        case .file(let users): users.clientSecret(of: user)
        case .query, .service: ClientSecret(nil, verifier: nil)
        }
    }

    /// Why a user with a wrong password is refused, for the log.
    func trouble(of user: String) -> String {
        if case .file(let users) = source, let trouble = users.trouble(of: user) { return trouble }
        return "wrong password"
    }

    /// The authenticator for a client; nil if none is needed.
    ///
    /// - Parameters:
    ///   - channel: what the connection is encrypted with; nil if it is not.
    ///   - found: what was asked for first, where it was.
    ///   - mockSecret: makes up the salt of a user without a usable verifier, so that the client cannot tell.
    /// - Throws: the refusal, where nobody may come, or not with the client's certificate.
    func authenticator(
        for startup: StartupMessage, over channel: SecureChannel?, found: ClientSecret? = nil,
        mockSecret: [UInt8],
        using cryptography: OpenSSLCryptography
    ) throws(SessionEnd) -> (any Authenticator)? {
        switch method {
        case .none: return nil
        case .certificate:
            try checkCertificate(channel, of: startup.user)
            return nil
        // A line that leaves to the route what the route leaves to the lines lets nobody in.
        case .block, .hba: throw .blocked(startup)
        case .clearText:
            if case .service(let service) = source {
                return ServiceAuthenticator(service: service, user: startup.user)
            }
            let secret = found ?? secret(of: startup.user)
            return ClearTextAuthenticator(
                secret: secret.secret, user: startup.user, passesKeys: passesKeys && secret.isVerifier,
                cryptography: cryptography)
        case .md5:
            return MD5Authenticator(
                secret: (found ?? secret(of: startup.user)).secret, user: startup.user,
                cryptography: cryptography)
        case .scramSHA256:
            let secret = found ?? secret(of: startup.user)
            return SCRAMAuthenticator(
                verifier: secret.verifier, user: startup.user, channelData: channel?.endPoint,
                mockSecret: mockSecret, mockIterations: secret.mockIterations,
                passesKeys: passesKeys && secret.isVerifier, cryptography: cryptography)
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
