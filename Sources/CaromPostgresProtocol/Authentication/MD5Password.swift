// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// PostgreSQL's MD5 authentication: deprecated, but old verifiers are around. Results are text: `md5` and 32
/// hexadecimal digits.
package enum MD5Password {
    /// What the server stores: `md5` + hex(md5(password + user)). Nil where MD5 is switched off.
    package static func hash(
        user: String, password: [UInt8], using cryptography: some ProtocolCryptography
    ) -> [UInt8]? {
        cryptography.md5(password + Array(user.utf8)).map(text)
    }

    /// What the client answers: `md5` + hex(md5(hex digits of the stored hash + salt)). Nil where MD5 is
    /// switched off, and if `hash` is none.
    package static func response(
        hash: [UInt8], salt: [UInt8], using cryptography: some ProtocolCryptography
    ) -> [UInt8]? {
        guard isHash(hash) else { return nil }
        return cryptography.md5(Array(hash.dropFirst(3)) + salt).map(text)
    }

    /// Whether a client's answer fits the stored hash and the salt it was given.
    package static func verify(
        response: [UInt8], hash: [UInt8], salt: [UInt8], using cryptography: some ProtocolCryptography
    ) -> Bool {
        guard let expected = Self.response(hash: hash, salt: salt, using: cryptography) else { return false }
        return cryptography.constantTimeEquals(expected, response)
    }

    /// `md5` and 32 lower-case hexadecimal digits.
    package static func isHash(_ text: [UInt8]) -> Bool {
        text.count == 35 && text.starts(with: "md5".utf8)
            && text.dropFirst(3).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static func text(_ digest: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("md5".utf8)
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
