// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

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
        switch StoredSecret(text) {
        case .plain: .plain
        case .md5: .md5
        case .scram: .scramVerifier
        }
    }

    package enum Form: Hashable, Sendable {
        /// The password itself.
        case plain
        /// `md5` and 32 hexadecimal digits: MD5 of password and user name.
        case md5
        /// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
        case scramVerifier
    }
}

extension Secret {
    /// The longest password PostgreSQL reads from a client: `PG_MAX_AUTH_TOKEN_LENGTH` without the length field of the
    /// message and the zero behind the password.
    static let longest = 65_535 - 4 - 1

    /// Reads a secret of a configuration. No message repeats any of it.
    init(checking text: String) throws(ValueError) {
        guard !text.isEmpty else {
            throw ValueError("an empty password never matches", hint: "leave the directive out")
        }
        guard text.utf8.count <= Self.longest else {
            throw ValueError("a password has at most \(Self.longest) bytes")
        }
        self.init(text)
        // PostgreSQL would take a damaged verifier for a password; in a configuration it is a slip of the hand.
        if text.hasPrefix("SCRAM-SHA-256$"), form != .scramVerifier {
            throw ValueError(
                "this is no SCRAM verifier; expected SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, the last three in base64"
            )
        }
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "***" }
    package var debugDescription: String { "***" }
    /// Empty, so that `dump` and the default printing of a surrounding type show nothing either.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
