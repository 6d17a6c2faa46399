// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL

/// What went wrong in TLS, in a digest or in the random source.
///
/// `code` is for programs, `message` for people; `stack` holds what OpenSSL itself had to say, oldest
/// first. None of them ever contains key material.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        /// A setting has a value that cannot be used; the message names it and the allowed values.
        package static let configuration = Code(description: "configuration")
        /// A certificate, key or CA file cannot be read or does not fit; the message names the file.
        package static let file = Code(description: "file")
        /// The peer's certificate was refused, by us.
        package static let verification = Code(description: "verification")
        /// The handshake ended before a session was established.
        package static let handshake = Code(description: "handshake")
        /// The peer broke the protocol, or sent a fatal alert, after the handshake.
        package static let peer = Code(description: "peer")
        /// The socket failed; the message names the system's error.
        package static let system = Code(description: "system")
        /// A digest, HMAC, key derivation or random source failed (policy of the host, or out of memory).
        package static let cryptography = Code(description: "cryptography")
    }

    package let code: Code
    package let message: String
    package let stack: [String]
    /// The option that is wrong, where it is a single one.
    package let option: TLSOptions.Option?

    package init(
        _ code: Code, _ message: String, stack: [String] = [], about option: TLSOptions.Option? = nil
    ) {
        self.code = code
        self.message = message
        self.stack = stack
        self.option = option
    }

    package var description: String {
        stack.isEmpty ? message : "\(message) (\(stack.joined(separator: "; ")))"
    }

    /// An error with the calling thread's OpenSSL error queue, which is emptied.
    static func drained(_ code: Code, _ message: String, about option: TLSOptions.Option? = nil) -> TLSError {
        TLSError(code, message, stack: drainErrors(), about: option)
    }
}

/// Empties the calling thread's error queue into sentences. Must run right after the failed call, on its thread.
func drainErrors() -> [String] {
    var sentences: [String] = []
    while true {
        var data: UnsafePointer<CChar>?
        var flags: Int32 = 0
        let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
        if code == 0 { return sentences }
        // A reason without a text is a system error: OpenSSL files errno under its own library number.
        var sentence =
            ERR_reason_error_string(code).map { String(cString: $0) }
            ?? withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                ERR_error_string_n(code, buffer.baseAddress, buffer.count)
                return String(cString: buffer.baseAddress!)
            }
        if flags & ERR_TXT_STRING != 0, let data, data.pointee != 0 {
            sentence += ": " + String(cString: data)
        }
        sentences.append(sentence)
    }
}
