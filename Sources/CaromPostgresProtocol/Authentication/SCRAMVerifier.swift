// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a server stores instead of a SCRAM password:
/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
///
/// Not the password, but good enough to impersonate the server, so it is not described.
package struct SCRAMVerifier: Equatable, Sendable {
    package let iterations: Int
    package let salt: [UInt8]
    package let storedKey: [UInt8]
    package let serverKey: [UInt8]

    package init(iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Makes one from a password.
    package init(
        password: [UInt8], salt: [UInt8], iterations: Int = SCRAM.defaultIterations,
        using cryptography: some ProtocolCryptography
    ) {
        let keys = SCRAMKeys(
            password: password, salt: salt, iterations: iterations, using: cryptography)
        self.init(
            iterations: iterations, salt: salt, storedKey: cryptography.sha256(keys.clientKey),
            serverKey: keys.serverKey)
    }

    /// Reads PostgreSQL's form (`pg_authid.rolpassword`). Nil if it is not exactly that.
    package init?(_ text: [UInt8]) {
        let parts = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual(SCRAM.Mechanism.plain.rawValue.utf8) else {
            return nil
        }
        let head = parts[1].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard head.count == 2, keys.count == 2,
            let iterations = SCRAMVerifier.number(head[0]), iterations > 0,
            let salt = Base64.decode(head[1]), !salt.isEmpty,
            let storedKey = Base64.decode(keys[0]), storedKey.count == 32,
            let serverKey = Base64.decode(keys[1]), serverKey.count == 32
        else { return nil }
        self.init(iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }

    /// PostgreSQL's form.
    package var encoded: [UInt8] {
        var text = Array("\(SCRAM.Mechanism.plain.rawValue)$\(iterations):".utf8)
        text += Base64.encode(salt)
        text.append(UInt8(ascii: "$"))
        text += Base64.encode(storedKey)
        text.append(UInt8(ascii: ":"))
        text += Base64.encode(serverKey)
        return text
    }

    /// Whether this is the password it was made from.
    package func matches(password: [UInt8], using cryptography: some ProtocolCryptography) -> Bool {
        matches(derivation(of: password).keys(using: cryptography), using: cryptography)
    }

    /// What the keys of a password are made of that may be the one it was made from.
    package func derivation(of password: [UInt8]) -> SCRAMKeyDerivation {
        SCRAMKeyDerivation(password: password, salt: salt, iterations: iterations)
    }

    /// Whether these are the keys of the password it was made from.
    package func matches(_ keys: SCRAMKeys, using cryptography: some ProtocolCryptography) -> Bool {
        cryptography.constantTimeEquals(cryptography.sha256(keys.clientKey), storedKey)
    }

    /// Digits only, at most ten of them, within 31 bits.
    static func number(_ digits: some Collection<UInt8>) -> Int? {
        guard (1...10).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return value <= Int(Int32.max) ? value : nil
    }
}

extension SCRAMVerifier: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMVerifier(redacted, \(iterations) iterations)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["iterations": iterations]) }
}
