// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromTLS

/// The TLS directives of a `listen` or `storage` block.
package struct TLSSettings: Hashable, Sendable {
    /// `tls`.
    package var mode = TLSMode.disable
    /// `tls_ca_file`: PEM file of trusted authorities; `nil` for a storage means the system's.
    package var caFile: String?
    /// `tls_crl_file`: PEM file of revoked certificates.
    package var crlFile: String?
    /// `tls_key_file`: PEM file of the private key.
    package var keyFile: String?
    /// `tls_cert_file`: PEM file of the certificate chain.
    package var certificateFile: String?
    /// `tls_protocols`: the versions to offer and accept.
    package var versions = TLSVersions.secure
    /// `tls_ciphers`: for TLS 1.2 and older, in OpenSSL's words; `nil` for OpenSSL's own choice, as the next two.
    package var ciphers: String?
    /// `tls_cipher_suites`: for TLS 1.3.
    package var cipherSuites: String?
    /// `tls_groups`: of the key exchange.
    package var groups: String?

    package init() {}

    /// What the engine is to do at a listener (`server`) or towards the servers of a storage (`client`).
    package func options(for role: TLSContext.Role) -> TLSOptions {
        // A server's certificate is checked by the host's authorities if no others are named; a client's never is.
        let authorities = role == .client && mode.verifiesPeer ? TLSOptions.systemTrust : nil
        return TLSOptions(
            mode: mode, certificateFile: certificateFile, keyFile: keyFile,
            authorityFile: caFile ?? authorities, revocationFile: crlFile, versions: versions,
            ciphers: ciphers, cipherSuites: cipherSuites, groups: groups)
    }
}

/// A block that has TLS directives.
protocol TLSConfigured: SendableMetatype {
    var tls: TLSSettings { get set }
}
