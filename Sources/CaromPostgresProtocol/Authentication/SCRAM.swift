// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What both roles of SCRAM-SHA-256 (RFC 5802, RFC 7677) share.
package enum SCRAM {
    /// Longest message we read: a hostile peer gets no more memory than this.
    package static let longestMessage = 4096
    /// PostgreSQL's default number of rounds.
    package static let defaultIterations = 4096
    /// Rounds we are willing to hash for a peer unless configured otherwise.
    package static let iterationLimit = 100_000
    /// Bytes of a salt we make.
    package static let saltSize = 16

    /// The two mechanisms.
    package enum Mechanism: String, Sendable, CaseIterable {
        case plain = "SCRAM-SHA-256"
        /// Bound to the TLS channel.
        case plus = "SCRAM-SHA-256-PLUS"
    }

    /// A fresh nonce: 18 random bytes in base64, like PostgreSQL's.
    package static func nonce(using cryptography: some ProtocolCryptography) -> String {
        String(decoding: Base64.encode(cryptography.randomBytes(18)), as: UTF8.self)
    }

    /// The salt that a user is shown who does not exist. One who does may have it, too: then they cannot be told apart.
    package static func mockSalt(
        user: String, secret: [UInt8], using cryptography: some ProtocolCryptography
    ) -> [UInt8] {
        mockSalt(mockDigest(user: user, secret: secret, using: cryptography))
    }

    static func mockDigest(
        user: String, secret: [UInt8], using cryptography: some ProtocolCryptography
    ) -> [UInt8] {
        cryptography.hmacSHA256(key: secret, data: Array(user.utf8))
    }

    static func mockSalt(_ digest: [UInt8]) -> [UInt8] { Array(digest.prefix(saltSize)) }

    /// `tls-server-end-point`, the only channel binding PostgreSQL knows.
    static let bindingType = "tls-server-end-point"

    static func xor(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        zip(left, right).map { $0 ^ $1 }
    }

    /// RFC 5802: printable ASCII without comma.
    static func isNonce(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy { $0 >= 0x21 && $0 <= 0x7e && $0 != UInt8(ascii: ",") }
    }
}

/// The two keys of a user for which no password is needed any more: with them a client can log in to any
/// server that has the same verifier. Secrets; never described.
package struct SCRAMKeys: Equatable, Sendable {
    package let clientKey: [UInt8]
    package let serverKey: [UInt8]

    package init(clientKey: [UInt8], serverKey: [UInt8]) {
        self.clientKey = clientKey
        self.serverKey = serverKey
    }

    /// Hashes a password (RFC 5802, section 3).
    package init(
        password: [UInt8], salt: [UInt8], iterations: Int, using cryptography: some ProtocolCryptography
    ) {
        let salted = cryptography.pbkdf2SHA256(
            password: SASLPrep.prepare(password), salt: salt, iterations: iterations)
        clientKey = cryptography.hmacSHA256(key: salted, data: Array("Client Key".utf8))
        serverKey = cryptography.hmacSHA256(key: salted, data: Array("Server Key".utf8))
    }
}

/// The keys of a user, and what they were made with: servers whose secret has the same salt and rounds know them.
package struct SCRAMUserKeys: Equatable, Sendable {
    package let keys: SCRAMKeys
    package let salt: [UInt8]
    package let iterations: Int

    package init(_ keys: SCRAMKeys, salt: [UInt8], iterations: Int) {
        self.keys = keys
        self.salt = salt
        self.iterations = iterations
    }

    /// Those that a login has shown to fit a verifier.
    package init(_ keys: SCRAMKeys, of verifier: SCRAMVerifier) {
        self.init(keys, salt: verifier.salt, iterations: verifier.iterations)
    }
}

extension SCRAMUserKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMUserKeys(redacted, \(iterations) iterations)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["iterations": iterations]) }
}

extension SCRAMKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMKeys(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Reads `name=value` attributes one after the other, as SCRAM messages list them.
struct SCRAMAttributes {
    private var rest: ArraySlice<UInt8>?

    init(_ message: ArraySlice<UInt8>) {
        rest = message.isEmpty ? nil : message
    }

    /// The next attribute, or nil at the end of the message.
    mutating func next() throws(SCRAMError) -> (name: UInt8, value: ArraySlice<UInt8>)? {
        guard let current = rest else { return nil }
        let comma = current.firstIndex(of: UInt8(ascii: ","))
        let attribute = current[..<(comma ?? current.endIndex)]
        rest = comma.map { current[($0 + 1)...] }
        guard attribute.count >= 2, attribute[attribute.startIndex + 1] == UInt8(ascii: "=") else {
            throw .malformed("an attribute is a letter, an equal sign and a value")
        }
        return (attribute[attribute.startIndex], attribute.dropFirst(2))
    }

    /// The value of the next attribute, which must have this name.
    mutating func expect(_ name: Character) throws(SCRAMError) -> ArraySlice<UInt8> {
        guard let attribute = try next() else {
            throw .malformed("attribute \"\(name)\" expected at the end")
        }
        guard attribute.name == name.asciiValue else {
            if attribute.name == UInt8(ascii: "m") { throw .unsupportedExtension }
            throw .malformed("attribute \"\(name)\" expected, found \(tagText(attribute.name))")
        }
        return attribute.value
    }

    /// Steps over optional extensions, which may be ignored.
    mutating func skipExtensions() throws(SCRAMError) {
        while let attribute = try next() {
            if attribute.name == UInt8(ascii: "m") { throw .unsupportedExtension }
        }
    }
}
