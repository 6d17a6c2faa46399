// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// Finds out what is wrong with the files and lists of a block's TLS directives by loading them once, as they will be when it is
/// served. Only a configuration that comes from a file is looked at like this: a text may speak of files of another machine.
struct TLSLoading {
    private let role: TLSContext.Role

    /// - Parameter role: the server's at a listener, a client's towards the servers of a storage.
    init(as role: TLSContext.Role) { self.role = role }

    /// Reports what keeps the block from being served, and warns of a certificate that nobody will believe.
    func check<Scope: TLSConfigured>(
        _ block: ConfigurationBlock<Scope>, _ findings: inout ConfigurationFindings
    ) {
        let settings = block.value.tls
        guard settings.mode != .disable, !block.isDamaged else { return }
        do throws(TLSError) {
            let context = try TLSContext(role, settings.options(for: role))
            if let trouble = context.certificateTrouble {
                let file = quoted(settings.certificateFile ?? "")
                findings.warn(place(of: .certificateFile, in: block), "tls_cert_file: \(file): \(trouble)")
            }
        } catch {
            let name = Self.directive(error.option)
            findings.report(place(of: error.option, in: block), "\(name): \(error)")
        }
    }

    private func place<Scope>(of option: TLSOptions.Option?, in block: ConfigurationBlock<Scope>)
        -> ConfigurationPosition
    {
        block.given[Self.directive(option)] ?? block.given["tls"] ?? block.position
    }

    private static func directive(_ option: TLSOptions.Option?) -> String {
        switch option {
        case .certificateFile: "tls_cert_file"
        case .keyFile: "tls_key_file"
        case .authorityFile: "tls_ca_file"
        case .revocationFile: "tls_crl_file"
        case .versions: "tls_protocols"
        case .ciphers: "tls_ciphers"
        case .cipherSuites: "tls_cipher_suites"
        case .groups: "tls_groups"
        case nil: "tls"
        }
    }
}
