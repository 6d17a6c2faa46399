// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

extension Directive where Scope: TLSConfigured {
    /// The directives every block with TLS has.
    static var tls: [Self] {
        [
            mode,
            .text("tls_ca_file", optional: \.tls.caFile),
            .text("tls_crl_file", optional: \.tls.crlFile),
            .text("tls_key_file", optional: \.tls.keyFile),
            .text("tls_cert_file", optional: \.tls.certificateFile),
            protocols,
            .text("tls_ciphers", optional: \.tls.ciphers),
            .text("tls_cipher_suites", optional: \.tls.cipherSuites),
            .text("tls_groups", optional: \.tls.groups),
        ]
    }

    private static var mode: Self {
        let words = TLSMode.allCases.map(\.rawValue)
        let allowed = words.map(quoted).joined(separator: ", ")
        return Directive(
            name: "tls", expects: "one of \(allowed)",
            read: { value, scope throws(ValueError) in
                let text = try value.text("one of \(allowed)")
                do throws(TLSError) {
                    scope.tls.mode = try TLSMode(parsing: text)
                } catch {
                    let near = nearest(to: text, among: words)
                    throw ValueError(
                        "unknown value \(quoted(text)); allowed: \(allowed)",
                        hint: near.map { "did you mean \(quoted($0))?" })
                }
            },
            write: { quoted($0.tls.mode.rawValue) })
    }

    private static var protocols: Self {
        let expected = "a list such as \"tlsv1.2, tlsv1.3\""
        return Directive(
            name: "tls_protocols", expects: expected,
            read: { value, scope throws(ValueError) in
                let text = try value.text(expected)
                do throws(TLSError) {
                    scope.tls.versions = try TLSVersions(parsing: text)
                } catch {
                    throw ValueError(error.message)
                }
            },
            write: { quoted($0.tls.protocols) })
    }
}

extension TLSSettings {
    /// The versions, as `tls_protocols` says them.
    package var protocols: String { versions.words.joined(separator: ", ") }
}

extension TLSVersions {
    /// The versions in the words of `tls_protocols`, oldest first.
    fileprivate var words: [String] {
        let all: [(TLSVersions, String)] = [
            (.tls10, "tlsv1.0"), (.tls11, "tlsv1.1"), (.tls12, "tlsv1.2"), (.tls13, "tlsv1.3"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
