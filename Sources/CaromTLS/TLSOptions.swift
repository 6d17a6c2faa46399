// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Everything a `TLSContext` is made from. Two equal values make contexts that behave alike, as long as the files
/// they name are the same.
package struct TLSOptions: Hashable, Sendable {
    /// The word for the CA file that stands for the host's own trust store.
    package static let systemTrust = "system"

    package var mode: TLSMode
    /// PEM file with our certificate, followed by intermediate ones. A server needs one; for a client it is optional.
    package var certificateFile: String?
    /// PEM file with the key of our certificate, not encrypted.
    package var keyFile: String?
    /// PEM file with the authorities peers are checked against, or `system`. Needed by `verify_ca` and `verify_full`.
    package var authorityFile: String?
    /// PEM file with lists of revoked certificates, one of each authority: peers whose certificate is on one are refused.
    package var revocationFile: String?
    package var versions: TLSVersions
    /// Ciphers for TLS 1.2 and older, in OpenSSL's cipher list format; nil takes OpenSSL's default.
    package var ciphers: String?
    /// Cipher suites for TLS 1.3, colon-separated; nil takes OpenSSL's default.
    package var cipherSuites: String?
    /// Key exchange groups such as `X25519:P-256`; nil takes OpenSSL's default.
    package var groups: String?
    /// The protocol offered or demanded by ALPN; nil switches ALPN off.
    package var applicationProtocol: String?
    /// Whether sessions may be resumed: a server hands out tickets, a client keeps one per server.
    package var resumption: Bool

    /// Those that can be wrong by themselves, for errors.
    package enum Option: Hashable, Sendable {
        case certificateFile, keyFile, authorityFile, revocationFile, versions, ciphers, cipherSuites, groups
    }

    package init(
        mode: TLSMode,
        certificateFile: String? = nil,
        keyFile: String? = nil,
        authorityFile: String? = nil,
        revocationFile: String? = nil,
        versions: TLSVersions = .secure,
        ciphers: String? = nil,
        cipherSuites: String? = nil,
        groups: String? = nil,
        applicationProtocol: String? = "postgresql",
        resumption: Bool = true
    ) {
        self.mode = mode
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.authorityFile = authorityFile
        self.revocationFile = revocationFile
        self.versions = versions
        self.ciphers = ciphers
        self.cipherSuites = cipherSuites
        self.groups = groups
        self.applicationProtocol = applicationProtocol
        self.resumption = resumption
    }
}
