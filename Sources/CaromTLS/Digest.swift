// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL

/// The digests of PostgreSQL's authentication and of a WebSocket handshake (RFC 1321, FIPS 180-4, RFC 2104,
/// RFC 8018), as plain functions.
///
/// They throw only where OpenSSL refuses, for example MD5 under a FIPS policy; no input traps.
package enum Digest {
    /// MD5, 16 bytes. Only for PostgreSQL's `md5` method.
    package static func md5(_ bytes: RawSpan) throws(TLSError) -> [UInt8] {
        try digest(bytes, algorithm: Algorithms.md5, name: "MD5", size: 16)
    }

    /// MD5, 16 bytes. Only for PostgreSQL's `md5` method.
    package static func md5(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] { try md5(bytes.span.bytes) }

    /// SHA-1, 20 bytes. Only for the answer to a WebSocket handshake (RFC 6455 §4.2.2).
    package static func sha1(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] {
        try digest(bytes.span.bytes, algorithm: Algorithms.sha1, name: "SHA-1", size: 20)
    }

    /// SHA-256, 32 bytes.
    package static func sha256(_ bytes: RawSpan) throws(TLSError) -> [UInt8] {
        try digest(bytes, algorithm: Algorithms.sha256, name: "SHA-256", size: 32)
    }

    /// SHA-256, 32 bytes.
    package static func sha256(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] { try sha256(bytes.span.bytes) }

    /// HMAC with SHA-256, 32 bytes; any key length, also none.
    package static func hmacSHA256(key: RawSpan, _ bytes: RawSpan) throws(TLSError) -> [UInt8] {
        guard let keyLength = Int32(exactly: key.byteCount) else {
            throw TLSError(.cryptography, "HMAC key of \(key.byteCount) bytes is too long")
        }
        guard let sha256 = Algorithms.sha256 else {
            throw TLSError(.cryptography, "SHA-256 is not available")
        }
        var result = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        ERR_clear_error()
        let done = key.withUnsafeBytes { key in
            bytes.withUnsafeBytes { bytes in
                HMAC(
                    sha256, key.baseAddress, keyLength,
                    bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &result, &length)
            }
        }
        guard done != nil, length == 32 else { throw .drained(.cryptography, "HMAC failed") }
        return result
    }

    /// HMAC with SHA-256, 32 bytes; any key length, also none.
    package static func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) throws(TLSError) -> [UInt8] {
        try hmacSHA256(key: key.span.bytes, bytes.span.bytes)
    }

    /// PBKDF2 with HMAC-SHA-256, 32 bytes: SCRAM's `Hi` (RFC 5802 §2.2).
    ///
    /// Costs two SHA-256 blocks an iteration (about 1 ms for PostgreSQL's default of 4096), so keep it off an
    /// event loop for counts a peer has chosen. Fewer than one iteration is an error.
    package static func pbkdf2SHA256(
        password: RawSpan, salt: RawSpan, iterations: Int
    ) throws(TLSError) -> [UInt8] {
        guard iterations >= 1, let rounds = Int32(exactly: iterations) else {
            throw TLSError(
                .cryptography, "\(iterations) iterations: the count must be between 1 and \(Int32.max)")
        }
        guard let passwordLength = Int32(exactly: password.byteCount),
            let saltLength = Int32(exactly: salt.byteCount)
        else { throw TLSError(.cryptography, "password or salt is too long") }
        guard let sha256 = Algorithms.sha256 else {
            throw TLSError(.cryptography, "SHA-256 is not available")
        }
        var result = [UInt8](repeating: 0, count: 32)
        ERR_clear_error()
        let done = password.withUnsafeBytes { password in
            salt.withUnsafeBytes { salt in
                PKCS5_PBKDF2_HMAC(
                    password.baseAddress?.assumingMemoryBound(to: CChar.self), passwordLength,
                    salt.baseAddress?.assumingMemoryBound(to: UInt8.self), saltLength, rounds, sha256, 32,
                    &result)
            }
        }
        guard done == 1 else { throw .drained(.cryptography, "PBKDF2 failed") }
        return result
    }

    /// PBKDF2 with HMAC-SHA-256, 32 bytes: SCRAM's `Hi` (RFC 5802 §2.2). See the other overload.
    package static func pbkdf2SHA256(
        password: [UInt8], salt: [UInt8], iterations: Int
    ) throws(TLSError) -> [UInt8] {
        try pbkdf2SHA256(password: password.span.bytes, salt: salt.span.bytes, iterations: iterations)
    }

    /// Compares in a time that depends on the lengths only, not on where the first difference is.
    package static func constantTimeEquals(_ left: RawSpan, _ right: RawSpan) -> Bool {
        guard left.byteCount == right.byteCount else { return false }
        guard left.byteCount > 0 else { return true }
        return left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                CRYPTO_memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0
            }
        }
    }

    /// Compares in a time that depends on the lengths only, not on where the first difference is.
    package static func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        constantTimeEquals(left.span.bytes, right.span.bytes)
    }

    private static func digest(
        _ bytes: RawSpan, algorithm: OpaquePointer?, name: String, size: Int
    ) throws(TLSError) -> [UInt8] {
        guard let algorithm else {
            throw TLSError(.cryptography, "\(name) is not available under this host's policy")
        }
        var result = [UInt8](repeating: 0, count: size)
        var length: UInt32 = 0
        ERR_clear_error()
        let done = bytes.withUnsafeBytes { bytes in
            EVP_Digest(bytes.baseAddress, bytes.count, &result, &length, algorithm, nil)
        }
        guard done == 1, length == size else { throw .drained(.cryptography, "\(name) failed") }
        return result
    }
}

/// Algorithms are fetched once: `EVP_sha256()` and friends look the provider up again on every use.
private enum Algorithms {
    // Immutable and reference-counted by OpenSSL, never freed: safe to share between threads.
    nonisolated(unsafe) static let md5: OpaquePointer? = EVP_MD_fetch(nil, "MD5", nil)
    nonisolated(unsafe) static let sha1: OpaquePointer? = EVP_MD_fetch(nil, "SHA1", nil)
    nonisolated(unsafe) static let sha256: OpaquePointer? = EVP_MD_fetch(nil, "SHA256", nil)
}
