// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How far TLS is wanted on a connection; the words are libpq's and Odyssey's.
package enum TLSMode: String, CaseIterable, Hashable, Sendable {
    /// No TLS.
    case disable
    /// Clients: TLS if they ask. Servers: TLS only if the server refuses to talk without.
    case allow
    /// Clients: TLS if they ask. Servers: TLS if they can, else plain.
    case prefer
    /// TLS or no connection; certificates are not checked.
    case require
    /// `require`, and the peer's certificate must come from a trusted authority.
    case verifyCA = "verify_ca"
    /// `verify_ca`, and a server's certificate must carry the name we connect to.
    case verifyFull = "verify_full"

    /// Whether the peer must show a certificate that is checked.
    package var verifiesPeer: Bool {
        switch self {
        case .disable, .allow, .prefer, .require: false
        case .verifyCA, .verifyFull: true
        }
    }
}

/// A version of TLS that may be spoken. Older ones are no longer offered by anyone.
package enum TLSVersion: String, CaseIterable, Hashable, Sendable, Comparable {
    case v12 = "tlsv1.2"
    case v13 = "tlsv1.3"

    package static func < (left: TLSVersion, right: TLSVersion) -> Bool {
        left == .v12 && right == .v13
    }
}

/// The TLS directives of a `listen` or `storage` block.
package struct TLSSettings: Hashable, Sendable {
    /// `tls`.
    package var mode = TLSMode.disable
    /// `tls_ca_file`: PEM file of trusted authorities; `nil` for a storage means the system's.
    package var caFile: String?
    /// `tls_key_file`: PEM file of the private key.
    package var keyFile: String?
    /// `tls_cert_file`: PEM file of the certificate chain.
    package var certificateFile: String?
    /// `tls_protocols`: the oldest and newest version to speak.
    package var protocols = TLSVersion.v12...TLSVersion.v13

    package init() {}
}

/// A block that has TLS directives.
protocol TLSConfigured: SendableMetatype {
    var tls: TLSSettings { get set }
}
