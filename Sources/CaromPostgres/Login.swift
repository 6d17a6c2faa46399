// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// A login at a server: StartupMessage, whatever authentication is asked for, parameters, key, ReadyForQuery
/// (PostgreSQL protocol, "Start-up").
struct Login {
    private let configuration: PostgresConfiguration
    private let conversation: Conversation
    private let session: ServerSession
    private let cryptography = OpenSSLCryptography()

    init(
        _ configuration: PostgresConfiguration, _ conversation: Conversation,
        _ session: ServerSession
    ) {
        self.configuration = configuration
        self.conversation = conversation
        self.session = session
    }

    /// Logs in and returns the key for cancel requests; the reported parameters are in the state.
    func run() async throws(PostgresError) -> BackendKeyData {
        var bytes: [UInt8] = []
        StartupMessage(
            user: configuration.user, database: configuration.database,
            replication: configuration.replication, options: configuration.options,
            parameters: configuration.parameters.sorted { $0.key < $1.key }.map {
                StartupParameter($0.key, $0.value)
            }
        ).encode(into: &bytes)
        try await conversation.send(bytes)
        try await authenticate()
        return try await finish()
    }

    private func authenticate() async throws(PostgresError) {
        while true {
            switch try await request() {
            case .ok: return
            case .cleartextPassword:
                try checkPath()
                try await answer(try password())
            case .md5Password(let salt):
                try await answer(try md5(salt))
            case .sasl(let mechanisms):
                try await scram(mechanisms)
            case .saslContinue, .saslFinal:
                throw PostgresError(
                    .protocolViolation, "the server goes on with an exchange that never began")
            case .unsupported(let number):
                throw PostgresError(
                    .authentication,
                    "the server asks for authentication method \(number); supported are trust, password, md5 and scram-sha-256"
                )
            }
        }
    }

    /// The next authentication request. Notices on the way are passed over; an error ends the login.
    private func request() async throws(PostgresError) -> AuthenticationRequest {
        while true {
            let message = try await conversation.receive()
            switch BackendTag(rawValue: message.tag) {
            case .authentication:
                do throws(WireError) {
                    return try AuthenticationRequest(body: message.body.span.bytes)
                } catch {
                    throw PostgresError(.protocolViolation, "the server's authentication request: \(error)")
                }
            case .errorResponse: throw refusal(message)
            case .noticeResponse, .negotiateProtocolVersion: continue
            default:
                throw PostgresError(
                    .protocolViolation,
                    "the server sent \(tagText(message.tag)) instead of an authentication request")
            }
        }
    }

    private func answer(_ password: [UInt8]) async throws(PostgresError) {
        var bytes: [UInt8] = []
        PasswordMessage(password: password).encode(into: &bytes)
        try await conversation.send(bytes)
    }

    /// What is known of the password, now.
    private func secret() throws(PostgresError) -> StoredSecret {
        let known =
            if let credentials = configuration.credentials { credentials.secret } else {
                configuration.password.map { StoredSecret($0) }
            }
        guard let known else {
            throw PostgresError(
                .authentication, "the server asks for a password and none is configured for \(configuration)")
        }
        return known
    }

    /// In the open a password is told to whoever is on the path.
    private func checkPath() throws(PostgresError) {
        let transport = conversation.transport
        if configuration.allowsCleartextPassword || transport.session != nil || transport.peer.isOnThisMachine
        {
            return
        }
        throw PostgresError(
            .authentication,
            "the server asks for the password itself, over a connection that is not encrypted, which is not allowed for \(configuration)"
        )
    }

    private func password() throws(PostgresError) -> [UInt8] {
        let form: String
        switch try secret() {
        case .plain(let password): return password
        case .md5: form = "MD5 hash"
        case .scram: form = "SCRAM verifier"
        }
        // Sent as a password it would be wrong, and told to a server that is not meant to know it.
        throw PostgresError(
            .authentication,
            "the server asks for a password, and only a \(form) is configured for \(configuration)")
    }

    private func md5(_ salt: [UInt8]) throws(PostgresError) -> [UInt8] {
        let hash: [UInt8]?
        if case .md5(let known) = try secret() {
            hash = known
        } else {
            hash = MD5Password.hash(user: configuration.user, password: try password(), using: cryptography)
        }
        guard let hash, let response = MD5Password.response(hash: hash, salt: salt, using: cryptography)
        else {
            throw PostgresError(
                .authentication, "the server asks for md5, which is switched off on this machine")
        }
        return response
    }

    /// A verifier proves nothing. But a client that has proved to know its password has given us the keys behind it.
    private func credential() throws(PostgresError) -> SCRAMClient.Credential {
        if case .scram = try secret(), let credentials = configuration.credentials {
            if let keys = credentials.keys { return .keys(keys) }
            throw PostgresError(
                .authentication,
                "the server asks for a password, and only a SCRAM verifier is configured for \(configuration); with it only a client can be let through that logs in as this user, by \"scram-sha-256\" or \"clear_text\""
            )
        }
        return .password(try password())
    }

    private func scram(_ mechanisms: [String]) async throws(PostgresError) {
        do {
            var client = SCRAMClient(
                credential: try credential(),
                binding: try SCRAMClient.binding(offered: mechanisms, channelData: conversation.channelData),
                nonce: SCRAM.nonce(using: cryptography))
            var bytes: [UInt8] = []
            SASLInitialResponse(mechanism: client.mechanism.rawValue, data: client.first).encode(into: &bytes)
            try await conversation.send(bytes)
            guard case .saslContinue(let challenge) = try await request() else {
                throw PostgresError(.protocolViolation, "the server broke off the SCRAM exchange")
            }
            let derivation = try client.receive(challenge)
            var keys: SCRAMKeys?
            if let derivation { keys = await SCRAMKeyring.servers.keys(of: derivation) }
            bytes = []
            SASLResponse.encode(try client.respond(with: keys, using: cryptography), into: &bytes)
            try await conversation.send(bytes)
            guard case .saslFinal(let proof) = try await request() else {
                throw PostgresError(.protocolViolation, "the server did not prove that it knows the password")
            }
            try client.finish(proof, using: cryptography)
            if let derivation, let keys { SCRAMKeyring.servers.remember(keys, of: derivation) }
        } catch let error as PostgresError {
            throw error
        } catch {
            throw PostgresError(.authentication, "SCRAM: \(error)")
        }
    }

    /// Parameters and key, up to ReadyForQuery.
    private func finish() async throws(PostgresError) -> BackendKeyData {
        var key = BackendKeyData(processID: 0, key: [0, 0, 0, 0])
        while true {
            let message = try await conversation.receive()
            let body = message.body.span.bytes
            do throws(WireError) {
                switch BackendTag(rawValue: message.tag) {
                case .parameterStatus:
                    let status = try ParameterStatus(body: body)
                    session.state.report(status)
                case .backendKeyData: key = try BackendKeyData(body: body)
                case .readyForQuery:
                    session.state.didLogIn(try ReadyForQuery(body: body).status)
                    return key
                case .noticeResponse: continue
                case .errorResponse: break
                default: throw .unknownTag(message.tag)
                }
            } catch {
                throw PostgresError(.protocolViolation, "the server's start of session: \(error)")
            }
            if message.tag == BackendTag.errorResponse.rawValue { throw refusal(message) }
        }
    }

    /// The server's own error; class 28 means that it does not believe us.
    private func refusal(_ message: ServerMessage) -> PostgresError {
        let fields = ErrorFields(body: message.body.span.bytes)
        let isAboutIdentity = fields.code?.classCode == "28"
        return PostgresError(
            isAboutIdentity ? .authentication : .server,
            fields.message ?? "the server refused the login without a message",
            sqlState: fields.code?.description, detail: fields.detail, hint: fields.hint)
    }
}

extension SocketAddress {
    /// What is sent there does not leave the machine.
    fileprivate var isOnThisMachine: Bool { isUnix || host == "::1" || host.hasPrefix("127.") }
}
