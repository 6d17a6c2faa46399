// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromTLS

/// Authentication's cryptography, done by OpenSSL.
///
/// Should OpenSSL ever fail, the result is empty and nothing compares equal to it, so the login fails.
package struct OpenSSLCryptography: ProtocolCryptography {
    package init() {}

    package func md5(_ data: [UInt8]) -> [UInt8]? { try? Digest.md5(data) }

    package func sha256(_ data: [UInt8]) -> [UInt8] { (try? Digest.sha256(data)) ?? [] }

    package func hmacSHA256(key: [UInt8], data: [UInt8]) -> [UInt8] {
        (try? Digest.hmacSHA256(key: key, data)) ?? []
    }

    package func pbkdf2SHA256(password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        (try? Digest.pbkdf2SHA256(password: password, salt: salt, iterations: iterations)) ?? []
    }

    /// The kernel's generator steps in where OpenSSL's has failed: a nonce must never be empty.
    package func randomBytes(_ count: Int) -> [UInt8] {
        if let bytes = try? RandomBytes.array(count: count) { return bytes }
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    package func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        !left.isEmpty && Digest.constantTimeEquals(left, right)
    }
}
