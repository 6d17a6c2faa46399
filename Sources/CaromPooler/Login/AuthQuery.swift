// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// What is asked of whom by an `auth_query`, for routes of one method.
struct AuthQueryDefinition: Sendable {
    let question: ServerQuestion
    let method: AuthenticationMethod
    let mockSecret: [UInt8]

    /// Whether the same is asked of the same servers for the same purpose.
    func isSame(_ other: AuthQueryDefinition) -> Bool {
        method == other.method && question.isSame(other.question)
    }
}

/// Asks servers for the secrets of clients.
final class AuthQuery: Sendable {
    /// Told of an answer, from any thread.
    typealias Waiter = @Sendable (AuthQueryFinding) -> Void

    let definition: AuthQueryDefinition
    let inquiry: ServerInquiry
    private let state = Mutex(
        State(cache: LookupCache(lifetime: ServerInquiry.lifetime, limit: ServerInquiry.limit)))
    private let cryptography = OpenSSLCryptography()
    private let keyring: SCRAMKeyring

    private struct State {
        var cache: LookupCache<String, AuthQueryAnswer, Waiter>
        /// What strangers are checked against: something that looks like the last secret that was found.
        var stranger: ClientSecret?
    }

    init(_ definition: AuthQueryDefinition, _ inquiry: ServerInquiry, keyring: SCRAMKeyring) {
        self.definition = definition
        self.inquiry = inquiry
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
                let waiters = state.withLock {
                    $0.cache.learned(answer, of: user, at: .now, keeping: answer.isKept)
                }
                let finding = finding(answer, of: user)
                for waiter in waiters { waiter(finding) }
            }
        }
        return nil
    }

    private func ask(_ user: String) async -> AuthQueryAnswer {
        do {
            return AuthQueryAnswer(try await inquiry.ask(about: user), of: user)
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
