// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A password or stored verifier. It prints as `***` however it is printed; only `reveal()` gives it away.
package struct Secret: Hashable, Sendable {
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The secret itself. Never let it reach a log, an error or a console answer.
    package func reveal() -> String { text }

    /// What the secret is, told by its form as PostgreSQL tells it (`pg_authid.rolpassword`).
    package var form: Form {
        let bytes = Array(text.utf8)
        if bytes.count == 35, bytes.starts(with: Array("md5".utf8)), bytes.dropFirst(3).allSatisfy(Self.isHex)
        {
            return .md5
        }
        return Self.isVerifier(text) ? .scramVerifier : .plain
    }

    package enum Form: Hashable, Sendable {
        /// The password itself.
        case plain
        /// `md5` and 32 hexadecimal digits: MD5 of password and user name.
        case md5
        /// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
        case scramVerifier
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        default: false
        }
    }

    private static func isVerifier(_ text: String) -> Bool {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "SCRAM-SHA-256" else { return false }
        let front = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: ":", omittingEmptySubsequences: false)
        guard front.count == 2, keys.count == 2, let iterations = Int(front[0]), iterations > 0 else {
            return false
        }
        // 32 bytes in base64 are 44 characters.
        return !front[1].isEmpty && keys.allSatisfy { $0.utf8.count == 44 }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    /// Empty, so that `dump` and the default printing of a surrounding type show nothing either.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
