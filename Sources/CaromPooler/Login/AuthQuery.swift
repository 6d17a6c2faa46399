// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// What is asked of whom by an `auth_query`, for routes of one method.
struct AuthQueryDefinition: Sendable {
    let text: String
    let method: AuthenticationMethod
    /// The connections on which it is asked.
    let configuration: PostgresConfiguration
    let resolver: any Resolver
    let tcp: TCPOptions
    let encryption: ServerEncryption?
    let access: ServerAccess
    /// Its connections count among those of the storage.
    let limit: QuotaLimit?
    let mockSecret: [UInt8]

    /// - Parameter route: says how the servers are found and logged in to. Nothing else of it counts: no setting shall change what the
    ///     query means.
    init(
        _ query: AuthQuerySettings, method: AuthenticationMethod, _ route: RouteSettings,
        _ storage: StorageSettings, resolver: any Resolver, access: ServerAccess, tcp: TCPOptions,
        encryption: ServerEncryption?,
        mockSecret: [UInt8]
    ) {
        text = query.text
        self.method = method
        var configuration = PostgresConfiguration(
            user: route.serverUser(forClientUser: query.user),
            database: route.serverDatabase(forClientDatabase: query.database),
            password: route.serverPassword?.reveal())
        // A query that is not qualified means what PostgreSQL itself has by these names (CVE-2025-12819).
        configuration.parameters = [
            "search_path": "pg_catalog, pg_temp", "application_name": "carom auth_query",
        ]
        self.configuration = configuration
        self.resolver = resolver
        self.tcp = tcp
        self.encryption = encryption
        self.access = access
        limit = QuotaLimit(storage)
        self.mockSecret = mockSecret
    }

    /// Whether the same is asked of the same servers in the same way.
    func isSame(_ other: AuthQueryDefinition) -> Bool {
        text == other.text && method == other.method && access == other.access
            && limit == other.limit && configuration.user == other.configuration.user
            && configuration.database == other.configuration.database
    }
}

/// Asks servers for the secrets of clients, on connections that no client's bytes or settings ever reach.
final class AuthQuery: Sendable {
    /// Told of an answer, from any thread.
    typealias Waiter = @Sendable (AuthQueryFinding) -> Void

    let definition: AuthQueryDefinition
    let pool: Pool<PostgresConnector>
    private let state = Mutex(
        State(cache: AuthQueryCache(lifetime: AuthQuery.lifetime, limit: AuthQuery.limit)))
    private let cryptography = OpenSSLCryptography()
    private let keyring: SCRAMKeyring

    private struct State {
        var cache: AuthQueryCache<Waiter>
        /// What strangers are checked against: something that looks like the last secret that was found.
        var stranger: ClientSecret?
    }

    /// A secret that was changed, or has run out, is believed for so long.
    private static let lifetime = Duration.seconds(5)
    private static let limit = 10_000
    /// A client waits for so long. It is less than the time to log in usually is.
    private static let patience = Duration.seconds(5)
    /// Of all rows.
    private static let longestResult = 1 << 20

    init(_ definition: AuthQueryDefinition, pool: Pool<PostgresConnector>, keyring: SCRAMKeyring) {
        self.definition = definition
        self.pool = pool
        self.keyring = keyring
    }

    /// What a client is checked against, if that is known; else `waiter` is told, and `spawn` runs what asks the server.
    func find(
        _ user: String, spawn: (@escaping @Sendable () async -> Void) -> Void, then waiter: @escaping Waiter
    ) -> AuthQueryFinding? {
        switch state.withLock({ $0.cache.find(user, at: .now, waiter) }) {
        case .known(let answer): return finding(answer, of: user)
        case .wait: break
        case .ask:
            spawn { [self] in
                let answer = await prepared(await ask(user), of: user)
                let waiters = state.withLock { $0.cache.learned(answer, of: user, at: .now) }
                let finding = finding(answer, of: user)
                for waiter in waiters { waiter(finding) }
            }
        }
        return nil
    }

    private func ask(_ user: String) async -> AuthQueryAnswer {
        let text = definition.text
        do {
            return try await pool.withConnection(timeout: Self.patience) { connection in
                let result = try await connection.query(
                    PostgresQuery(sql: text, [.text(user)]),
                    options: QueryOptions(maximumBytes: Self.longestResult, timeout: Self.patience))
                return AuthQueryAnswer(result.map { row in row.map { $0.string } }, of: user)
            }
        } catch {
            return .failed("\(error)")
        }
    }

    /// For SCRAM a plain password is made a verifier, by a thread beside the workers, because that takes long.
    private func prepared(_ answer: AuthQueryAnswer, of user: String) async -> AuthQueryAnswer {
        guard definition.method == .scramSHA256, case .found(let secret, _) = answer else { return answer }
        guard case .plain(let password) = secret else {
            return .found(secret, verifier: secret.verifier(salt: [], using: cryptography))
        }
        let derivation = SCRAMKeyDerivation(
            password: password,
            salt: SCRAM.mockSalt(user: user, secret: definition.mockSecret, using: cryptography),
            iterations: SCRAM.defaultIterations)
        let keys = await withUnsafeContinuation { continuation in
            keyring.derive(derivation) { continuation.resume(returning: $0) }
        }
        let verifier = SCRAMVerifier(
            iterations: derivation.iterations, salt: derivation.salt,
            storedKey: cryptography.sha256(keys.clientKey), serverKey: keys.serverKey)
        return .found(secret, verifier: verifier)
    }

    private func finding(_ answer: AuthQueryAnswer, of user: String) -> AuthQueryFinding {
        switch answer {
        case .failed(let reason): return AuthQueryFinding(failure: reason)
        case .nothing(let reason): return stranger("auth_query: user \"\(user)\": \(reason)")
        case .found(let secret, let verifier):
            switch (definition.method, secret) {
            case (.scramSHA256, .md5), (.md5, .scram):
                return stranger(
                    "auth_query: the secret of user \"\(user)\" is of no use for \(definition.method.rawValue)"
                )
            default: break
            }
            let found = ClientSecret(secret, verifier: verifier)
            state.withLock {
                if $0.stranger == nil { $0.stranger = ClientSecret(imitating: found, using: cryptography) }
            }
            return AuthQueryFinding(secret: found)
        }
    }

    /// Before a secret was found: what servers keep.
    private var likely: ClientSecret {
        let digest = Array(repeating: UInt8(0), count: 32)
        let verifier = SCRAMVerifier(
            iterations: SCRAM.defaultIterations, salt: Array(digest.prefix(SCRAM.saltSize)),
            storedKey: digest,
            serverKey: digest)
        return definition.method == .md5
            ? ClientSecret(.md5(Array("md5".utf8)), verifier: nil)
            : ClientSecret(.scram(verifier), verifier: verifier)
    }

    private func stranger(_ trouble: String) -> AuthQueryFinding {
        let known = state.withLock { $0.stranger }
        return AuthQueryFinding(
            secret: known ?? ClientSecret(imitating: likely, using: cryptography), trouble: trouble)
    }
}

/// What a client is to be checked against.
struct AuthQueryFinding: Sendable {
    /// One that no password fits, if there is nothing for the user.
    var secret = ClientSecret(nil, verifier: nil)
    /// Why nobody can come in with it, for the log.
    var trouble: String?
    /// The server could not be asked, because of this.
    var failure: String?
}
