// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// Decides whether a server is spoken to in the open or under TLS, and what is tried when that fails: libpq's `sslmode`.
struct EncryptionPlan: Equatable {
    enum Attempt: Equatable {
        /// TLS is not asked for.
        case plain
        /// TLS if the server has it, else in the open.
        case offered
        /// TLS or nothing.
        case required
    }

    private let mode: TLSMode
    /// What is tried now.
    private(set) var attempt: Attempt
    /// The server has agreed to TLS in this attempt.
    private(set) var isEncrypted = false

    init(_ mode: TLSMode) {
        self.mode = mode
        switch mode {
        case .disable, .allow: attempt = .plain
        case .prefer: attempt = .offered
        case .require, .verifyCA, .verifyFull: attempt = .required
        }
    }

    /// The server was asked for TLS, and has it or not.
    ///
    /// - Throws: why the attempt is over.
    mutating func answered(hasTLS: Bool) throws(PostgresError) {
        isEncrypted = hasTLS
        if attempt == .required, !hasTLS {
            throw PostgresError(.encryption, "the server speaks no TLS, which is required")
        }
    }

    /// The attempt has failed. True: there is another one.
    ///
    /// A server whose rules refuse a connection before any password was told (28000) may have rules for the other kind. No password
    /// is told twice: a wrong one is a wrong one.
    mutating func goesOn(after error: PostgresError) -> Bool {
        let isRuledOut = error.sqlState == "28000"
        switch (mode, attempt) {
        case (.allow, .plain) where isRuledOut: attempt = .required
        case (.prefer, .offered) where error.code == .encryption || (isRuledOut && isEncrypted):
            attempt = .plain
        case (.allow, _), (.prefer, _), (.disable, _), (.require, _), (.verifyCA, _), (.verifyFull, _):
            return false
        }
        isEncrypted = false
        return true
    }
}
