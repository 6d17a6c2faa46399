// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// The users of an `auth_file`, for routes of one method. It is read again when it changes; one that cannot be read leaves everything as
/// it was.
final class UserListFile: Sendable {
    /// What is known of a user, ready to be used.
    struct Entry: Sendable {
        let secret: StoredSecret
        /// For SCRAM; made when the file is read, because making it is meant to be slow.
        let verifier: SCRAMVerifier?
        /// Clients can be checked against it by the method.
        let isUsable: Bool
    }

    private struct State {
        /// Of the file that was looked at last, whether it was good or not.
        var stamp: FileStamp?
        var entries: [String: Entry] = [:]
        /// What all others are checked against.
        var stranger: ClientSecret
    }

    let path: String
    let method: AuthenticationMethod
    private let mockSecret: [UInt8]
    private let cryptography = OpenSSLCryptography()
    private let state: Mutex<State>

    private static let largest = 16 << 20

    /// - Parameters:
    ///   - method: by which clients are checked.
    ///   - mockSecret: makes salts, see ``ClientAuthentication``.
    /// - Throws: ``AccessFileError``.
    init(path: String, method: AuthenticationMethod, mockSecret: [UInt8]) throws(AccessFileError) {
        self.path = path
        self.method = method
        self.mockSecret = mockSecret
        state = Mutex(State(stranger: ClientSecret(imitating: nil, using: cryptography)))
        let stamp = FileStamp(ofFileAt: path)
        let list = try Self.read(path)
        use(list, stamp)
    }

    /// What is known of a user; nil if nothing is.
    subscript(user: String) -> Entry? { state.withLock { $0.entries[user] } }

    /// What a client is checked against. For a user that is not there, or has a secret of no use for the method, that is one which looks like
    /// those of others.
    func clientSecret(of user: String) -> ClientSecret {
        state.withLock { state in
            if let entry = state.entries[user], entry.isUsable {
                ClientSecret(entry.secret, verifier: entry.verifier)
            } else {
                state.stranger
            }
        }
    }

    /// Why a client was refused, for the log.
    func trouble(of user: String) -> String? {
        switch self[user]?.isUsable {
        case true?: nil
        case false?: "the secret of user \"\(user)\" in \(path) is of no use for \(method.rawValue)"
        case nil: "user \"\(user)\" is not in \(path)"
        }
    }

    /// Reads the file if it is another one than before. May take a while.
    ///
    /// - Returns: whether it was read.
    /// - Throws: ``AccessFileError``, once for each broken file.
    func refresh() throws(AccessFileError) -> Bool {
        let stamp = FileStamp(ofFileAt: path)
        let isNew = state.withLock { state in
            defer { state.stamp = stamp }
            return state.stamp != stamp
        }
        if !isNew { return false }
        use(try Self.read(path), stamp)
        return true
    }

    private static func read(_ path: String) throws(AccessFileError) -> UserList {
        let text: [UInt8]
        do throws(SystemError) {
            text = try readFile(path, limit: largest)
        } catch {
            throw AccessFileError(description: "\(error)")
        }
        do throws(UserListError) {
            return try UserList(text)
        } catch {
            throw AccessFileError(description: "\(path):\(error.line): \(error.message)")
        }
    }

    private func use(_ list: UserList, _ stamp: FileStamp?) {
        let old = state.withLock { $0.entries }
        var entries: [String: Entry] = [:]
        for (user, secret) in list.secrets {
            if let known = old[user], known.secret == secret {
                entries[user] = known
            } else {
                entries[user] = entry(of: user, secret)
            }
        }
        let model = list.users.lazy.compactMap { entries[$0] }.first { $0.isUsable }
        let stranger = ClientSecret(
            imitating: model.map { ClientSecret($0.secret, verifier: $0.verifier) }, using: cryptography)
        state.withLock { $0 = State(stamp: stamp, entries: entries, stranger: stranger) }
    }

    private func entry(of user: String, _ secret: StoredSecret) -> Entry {
        if secret == .plain([]) { return Entry(secret: secret, verifier: nil, isUsable: false) }
        switch method {
        case .none, .block, .certificate, .hba: return Entry(secret: secret, verifier: nil, isUsable: false)
        case .clearText: return Entry(secret: secret, verifier: nil, isUsable: true)
        case .md5:
            if case .scram = secret { return Entry(secret: secret, verifier: nil, isUsable: false) }
            return Entry(secret: secret, verifier: nil, isUsable: true)
        case .scramSHA256:
            let verifier = secret.verifier(
                salt: SCRAM.mockSalt(user: user, secret: mockSecret, using: cryptography),
                using: cryptography)
            return Entry(secret: secret, verifier: verifier, isUsable: verifier != nil)
        }
    }
}

/// Why a file that says who may come cannot be used; with its line if it is one.
struct AccessFileError: Error, Equatable, CustomStringConvertible {
    let description: String
}
