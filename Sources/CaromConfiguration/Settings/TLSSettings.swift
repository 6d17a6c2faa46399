// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromTLS

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
    /// `tls_protocols`: the versions to offer and accept.
    package var versions = TLSVersions.secure

    package init() {}
}

/// A block that has TLS directives.
protocol TLSConfigured: SendableMetatype {
    var tls: TLSSettings { get set }
}
