// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How much TLS is wanted: PostgreSQL's `sslmode`, for both directions.
package enum TLSMode: String, CaseIterable, Hashable, Sendable {
    /// Never TLS.
    case disable
    /// A server offers TLS and takes plain clients too; a client uses TLS only if the server insists.
    case allow
    /// A server behaves as with `allow`; a client uses TLS if the server offers it.
    case prefer
    /// TLS or nothing; the peer's certificate is not checked.
    case require
    /// TLS, and the peer's certificate must chain to the CA file.
    case verifyCA = "verify_ca"
    /// As `verifyCA`; a client also checks that the certificate names the host it connected to.
    case verifyFull = "verify_full"

    /// Reads a configuration word; `verify-ca` and `verify_ca` are the same.
    package init(parsing word: String) throws(TLSError) {
        let plain = String(word.lowercased().map { $0 == "-" ? "_" : $0 })
        guard let mode = TLSMode(rawValue: plain) else {
            let allowed = TLSMode.allCases.map(\.rawValue).joined(separator: ", ")
            throw TLSError(.configuration, "unknown TLS mode \"\(word)\"; allowed are \(allowed)")
        }
        self = mode
    }

    /// Whether nothing is said in the open.
    package var needsTLS: Bool {
        switch self {
        case .disable, .allow, .prefer: false
        case .require, .verifyCA, .verifyFull: true
        }
    }

    /// Whether a peer without a valid certificate must be refused.
    package var verifiesPeer: Bool {
        switch self {
        case .disable, .allow, .prefer, .require: false
        case .verifyCA, .verifyFull: true
        }
    }
}
