// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// A file of users and their secrets, as PgBouncer's `auth_file` has it: a line each, `"user" "secret"`. A quote inside of
/// quotes is doubled, a line that begins with `;` is a comment, and what stands behind the secret is ignored.
package struct UserList: Equatable, Sendable {
    /// What is known of each user, in any of PostgreSQL's forms. One with an empty secret cannot log in.
    package let secrets: [String: StoredSecret]
    /// In the order of the file.
    package let users: [String]

    /// Reads the text of such a file.
    ///
    /// - Throws: the first line that cannot be read. No message repeats any of it, for it may be the secret.
    package init(_ text: [UInt8]) throws(UserListError) {
        var secrets: [String: StoredSecret] = [:]
        var users: [String] = []
        var line = 0
        for content in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            line += 1
            var reader = Reader(rest: content, line: line)
            reader.skipBlanks()
            if reader.isAtEnd || reader.rest.first == UInt8(ascii: ";") { continue }
            let name = try reader.quoted("user name")
            reader.skipBlanks()
            let secret = try reader.quoted("secret")
            let user = String(decoding: name, as: UTF8.self)
            if user.isEmpty { throw UserListError(line: line, message: "the user name is empty") }
            guard name.count <= Self.longestName else {
                throw UserListError(
                    line: line, message: "a user name has at most \(Self.longestName) bytes")
            }
            guard secret.count <= Secret.longest else {
                throw UserListError(line: line, message: "a secret has at most \(Secret.longest) bytes")
            }
            if secrets[user] != nil {
                throw UserListError(line: line, message: "a second line for the same user")
            }
            let stored = StoredSecret(secret)
            if case .plain = stored, secret.starts(with: "SCRAM-SHA-256$".utf8) {
                throw UserListError(
                    line: line,
                    message: "what begins with SCRAM-SHA-256$ is no SCRAM verifier")
            }
            secrets[user] = stored
            users.append(user)
        }
        self.secrets = secrets
        self.users = users
    }

    /// As PostgreSQL has it (`NAMEDATALEN - 1`).
    private static let longestName = 63

    private struct Reader {
        var rest: ArraySlice<UInt8>
        let line: Int

        var isAtEnd: Bool { rest.isEmpty }

        mutating func skipBlanks() {
            rest = rest.drop {
                $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
            }
        }

        mutating func quoted(_ what: String) throws(UserListError) -> [UInt8] {
            let quote = UInt8(ascii: "\"")
            guard rest.first == quote else {
                throw UserListError(line: line, message: "expected the \(what) in double quotes")
            }
            rest.removeFirst()
            var text: [UInt8] = []
            while let byte = rest.popFirst() {
                if byte != quote {
                    guard byte != 0 else {
                        throw UserListError(line: line, message: "the \(what) has a zero byte")
                    }
                    text.append(byte)
                } else if rest.first == quote {
                    text.append(quote)
                    rest.removeFirst()
                } else {
                    return text
                }
            }
            throw UserListError(line: line, message: "the \(what) has no closing quote")
        }
    }
}

extension UserList {
    /// Reads a file.
    static func read(_ path: String, from source: ConfigurationSource) -> Result<UserList, FileTrouble> {
        switch source.read(path) {
        case .failure(let failure):
            return .failure(FileTrouble(description: "\(quoted(path)) cannot be read: \(failure.reason)"))
        case .success(let text):
            do throws(UserListError) {
                return .success(try UserList(text))
            } catch {
                return .failure(FileTrouble(description: "\(path):\(error.line): \(error.message)"))
            }
        }
    }

    /// Why a file cannot be used; nil if it can.
    static func trouble(ofFileAt path: String) -> String? {
        if case .failure(let trouble) = read(path, from: .files) { trouble.description } else { nil }
    }

    /// What is wrong with a file, and in which line.
    struct FileTrouble: Error, Equatable, CustomStringConvertible {
        let description: String
    }
}

/// What is wrong with a file of users, and where.
package struct UserListError: Error, Equatable {
    package let line: Int
    package let message: String
}

extension UserList: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "UserList(\(users.count) users)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["users": users.count]) }
}
