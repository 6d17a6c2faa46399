// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The cryptography that authentication needs, handed in so that this module has none of its own.
package protocol ProtocolCryptography: Sendable {
    /// Nil where MD5 is switched off (FIPS).
    func md5(_ data: [UInt8]) -> [UInt8]?
    func sha256(_ data: [UInt8]) -> [UInt8]
    func hmacSHA256(key: [UInt8], data: [UInt8]) -> [UInt8]
    /// 32 bytes of PBKDF2 (RFC 8018) with HMAC-SHA-256, which is SCRAM's `Hi`.
    func pbkdf2SHA256(password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8]
    /// Bytes nobody can guess.
    func randomBytes(_ count: Int) -> [UInt8]
    /// Equal length and content, in a time that does not tell where they differ.
    func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool
}
