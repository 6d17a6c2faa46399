// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL

/// What is known of a session once its handshake is done.
extension TLSSession {
    /// The protocol version in use, such as `TLSv1.3`.
    package var version: String { String(cString: SSL_get_version(pointer)) }

    /// The cipher in use, such as `TLS_AES_256_GCM_SHA384`; nil before the handshake has chosen one.
    package var cipher: String? {
        SSL_get_current_cipher(pointer).flatMap(SSL_CIPHER_get_name).map { String(cString: $0) }
    }

    /// Whether the handshake resumed an earlier session.
    package var isResumed: Bool { SSL_session_reused(pointer) == 1 }

    /// The protocol both sides agreed on by ALPN (RFC 7301), if any.
    package var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        SSL_get0_alpn_selected(pointer, &name, &length)
        guard let name, length > 0 else { return nil }
        return String(decoding: UnsafeBufferPointer(start: name, count: Int(length)), as: UTF8.self)
    }

    /// The server name a client sent (SNI), as the server sees it.
    package var requestedServerName: String? {
        SSL_get_servername(pointer, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }

    /// Whether the peer presented a certificate and it passed all checks asked for.
    package var hasVerifiedPeer: Bool {
        guard SSL_get0_peer_certificate(pointer) != nil else { return false }
        return SSL_get_verify_mode(pointer) & SSL_VERIFY_PEER != 0
            && SSL_get_verify_result(pointer) == X509_V_OK
    }

    /// The last common name in the subject of the peer's certificate.
    ///
    /// Nil without a certificate, without a common name, or if the name holds a zero byte (a known way to fake one).
    /// It proves something only if `hasVerifiedPeer`.
    package var peerCommonName: String? {
        guard let certificate = SSL_get0_peer_certificate(pointer),
            let subject = X509_get_subject_name(certificate)
        else { return nil }
        var index: Int32 = -1
        while case let next = X509_NAME_get_index_by_NID(subject, NID_commonName, index), next >= 0 {
            index = next
        }
        guard index >= 0, let entry = X509_NAME_get_entry(subject, index) else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
        guard length > 0, let text else { return nil }
        defer { CRYPTO_free(text, nil, 0) }
        let bytes = UnsafeBufferPointer(start: text, count: Int(length))
        return bytes.contains(0) ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// The `tls-server-end-point` channel binding (RFC 5929 §4.1): the hash of the server's certificate, the same on
    /// both sides. Nil if the certificate's signature has no hash of its own (Ed25519), where it is not defined.
    package var serverEndPoint: [UInt8]? {
        let own = context.role == .server ? SSL_get_certificate(pointer) : SSL_get0_peer_certificate(pointer)
        guard let certificate = own else { return nil }
        var digest: Int32 = 0
        guard X509_get_signature_info(certificate, &digest, nil, nil, nil) == 1, digest != NID_undef else {
            ERR_clear_error()
            return nil
        }
        if digest == NID_md5 || digest == NID_sha1 { digest = NID_sha256 }
        guard let algorithm = EVP_get_digestbyname(OBJ_nid2sn(digest)) else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, algorithm, &bytes, &length) == 1 else {
            ERR_clear_error()
            return nil
        }
        return Array(bytes.prefix(Int(length)))
    }
}
