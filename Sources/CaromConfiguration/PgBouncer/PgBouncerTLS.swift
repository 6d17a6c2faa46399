// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// What `[pgbouncer]` says of TLS, on one of its sides.
struct PgBouncerTLS {
    private let main: IniValues
    private let side: String

    /// - Parameter side: `client` or `server`.
    init(_ main: IniValues, side: String) {
        self.main = main
        self.side = side
    }

    private static let keys = [
        "tls": "_tls_sslmode", "tls_ca_file": "_tls_ca_file", "tls_key_file": "_tls_key_file",
        "tls_cert_file": "_tls_cert_file", "tls_protocols": "_tls_protocols",
        "tls_ciphers": "_tls_ciphers", "tls_cipher_suites": "_tls13_ciphers", "tls_groups": "_tls_ecdhcurve",
    ]

    var settings: TLSSettings {
        var tls = TLSSettings()
        tls.mode = (try? TLSMode(parsing: main.word("\(side)_tls_sslmode"))) ?? .disable
        tls.caFile = main.text("\(side)_tls_ca_file")
        tls.keyFile = main.text("\(side)_tls_key_file")
        tls.certificateFile = main.text("\(side)_tls_cert_file")
        tls.versions = (try? TLSVersions(parsing: main.word("\(side)_tls_protocols"))) ?? .secure
        tls.ciphers = main.text("\(side)_tls_ciphers").flatMap(Self.ciphers)
        tls.cipherSuites = main.text("\(side)_tls13_ciphers")
        let curve = main.text("\(side)_tls_ecdhcurve")
        tls.groups = ["auto", "none"].contains(curve?.lowercased()) ? nil : curve
        return tls
    }

    /// Says where each thing was said.
    func note<Scope: TLSConfigured>(in block: inout ConfigurationBlock<Scope>) {
        for (directive, key) in Self.keys {
            if let position = main.position(of: side + key) { _ = block.note(directive, at: position) }
        }
        // The certificates of a side are loaded where it has TLS at all.
        if block.given["tls"] == nil, block.value.tls.mode != .disable {
            _ = block.note("tls", at: main.position)
        }
    }

    /// The lists that have names, in OpenSSL's words; nil for OpenSSL's own choice.
    private static func ciphers(_ list: String) -> String? {
        switch list.lowercased() {
        case "default", "secure", "fast", "normal": nil
        case "compat": "HIGH:!aNULL"
        case "legacy": "HIGH:MEDIUM:!aNULL"
        case "all", "insecure": "ALL:!aNULL:!eNULL"
        default: list
        }
    }
}
