// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Glibc

extension TLSContext {
    /// Our own certificate and key.
    func loadCertificate() throws(TLSError) {
        // A key with a pass phrase would make OpenSSL ask on the terminal; a daemon has none.
        SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
        switch (options.certificateFile, options.keyFile) {
        case (nil, nil):
            guard role == .client || options.mode == .disable else {
                throw TLSError(
                    .configuration, "a TLS server needs a certificate file and a key file; neither is set")
            }
        case (let certificate?, nil):
            throw TLSError(
                .configuration, "the certificate file \(certificate) needs a key file, which is not set")
        case (nil, let key?):
            throw TLSError(.configuration, "the key file \(key) needs a certificate file, which is not set")
        case (let certificate?, let key?):
            guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
                throw .drained(
                    .file, "cannot use the certificate file \(certificate)", about: .certificateFile)
            }
            guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1 else {
                throw .drained(
                    .file, "cannot use the key file \(key) with the certificate file \(certificate)",
                    about: .keyFile)
            }
            guard SSL_CTX_check_private_key(pointer) == 1 else {
                throw .drained(
                    .file, "the key file \(key) does not belong to the certificate file \(certificate)",
                    about: .keyFile)
            }
        }
    }

    /// The authorities peers are checked against, and how strictly.
    func loadAuthorities() throws(TLSError) {
        guard let file = options.authorityFile else {
            guard !options.mode.verifiesPeer else {
                throw TLSError(
                    .configuration,
                    "TLS mode \(options.mode.rawValue) needs a CA file; \"system\" stands for the host's trust store"
                )
            }
            SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
            return
        }
        if file == TLSOptions.systemTrust {
            guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                throw .drained(.file, "cannot load the host's trust store", about: .authorityFile)
            }
        } else {
            guard SSL_CTX_load_verify_file(pointer, file) == 1 else {
                throw .drained(.file, "cannot use the CA file \(file)", about: .authorityFile)
            }
            if role == .server {
                // The names tell a client which of its certificates to present.
                guard let names = SSL_load_client_CA_file(file) else {
                    throw .drained(.file, "cannot use the CA file \(file)", about: .authorityFile)
                }
                SSL_CTX_set_client_CA_list(pointer, names)
            }
        }
        switch role {
        case .client:
            SSL_CTX_set_verify(pointer, options.mode.verifiesPeer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        case .server:
            // With a CA file a certificate is always asked for, and always checked when it comes.
            let must = options.mode.verifiesPeer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
            SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | must, nil)
        }
    }

    /// Certificates that their authority has taken back.
    func loadRevocations() throws(TLSError) {
        guard let file = options.revocationFile else { return }
        guard options.authorityFile != nil else {
            throw TLSError(
                .configuration, "the CRL file \(file) needs a CA file, which is not set",
                about: .revocationFile)
        }
        guard let store = SSL_CTX_get_cert_store(pointer),
            let lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file()),
            X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) > 0,
            X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)) == 1
        else { throw .drained(.file, "cannot use the CRL file \(file)", about: .revocationFile) }
    }

    /// What is wrong with the time of our own certificate now, as a sentence; nil if nothing is, or there is none.
    package var certificateTrouble: String? {
        guard let certificate = SSL_CTX_get0_certificate(pointer) else { return nil }
        let (begin, end) = (X509_get0_notBefore(certificate), X509_get0_notAfter(certificate))
        if X509_cmp_current_time(end) < 0 { return "the certificate has expired at \(Self.text(end))" }
        if X509_cmp_current_time(begin) > 0 {
            return "the certificate is not valid before \(Self.text(begin))"
        }
        return nil
    }

    private static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return "an unreadable time" }
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) UTC"
    }
}
