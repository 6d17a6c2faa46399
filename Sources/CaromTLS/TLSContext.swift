// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Synchronization

/// One side's TLS settings, loaded and checked: certificates, authorities, versions, ciphers.
///
/// Making one reads files, so do it at start and reload, not per connection and not on an event loop. It is shared by
/// all sessions made from it and stays alive as long as any of them.
// Unchecked: OpenSSL counts references to SSL_CTX itself and locks what changes in it after set-up; the pointer is
// never written again and our own mutable part is behind a Mutex.
package final class TLSContext: @unchecked Sendable {
    /// Which end of the handshake the sessions of this context play.
    package enum Role: Hashable, Sendable {
        case client, server
    }

    package let role: Role
    package let options: TLSOptions

    let pointer: OpaquePointer
    /// ALPN's wire format: one length byte, then the name. Empty if ALPN is off.
    let applicationProtocols: [UInt8]
    /// A client's newest resumable session per server name.
    let tickets = Mutex<[String: SessionTicket]>([:])

    /// Loads and checks everything the options name. Errors name the option or file and carry OpenSSL's reasons.
    package init(_ role: Role, _ options: TLSOptions) throws(TLSError) {
        self.role = role
        self.options = options
        let name = Array((options.applicationProtocol ?? "").utf8)
        guard name.count < 256 else {
            throw TLSError(
                .configuration, "the ALPN name is \(name.count) bytes long; at most 255 are allowed")
        }
        applicationProtocols = name.isEmpty ? [] : [UInt8(name.count)] + name
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(role == .client ? TLS_client_method() : TLS_server_method()) else {
            throw .drained(.configuration, "cannot set up OpenSSL")
        }
        self.pointer = pointer
        applyModes()
        try applyVersions()
        try applyCiphers()
        try loadCertificate()
        try loadAuthorities()
        try loadRevocations()
        try applyResumption()
        try applyApplicationProtocol()
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    /// The most that goes into one record: what PostgreSQL sends at once. libpq makes room for as much when it reads; of a longer record a
    /// part may stay in OpenSSL, and a client that waits for its socket never hears of it (decision 77).
    package static let recordSize = 8_192

    private func applyModes() {
        // RELEASE_BUFFERS: an idle session gives its 34 kB back. Partial and moving writes: our buffers belong to
        // workers and may be elsewhere at the retry.
        carom_SSL_CTX_set_mode(
            pointer,
            Int(
                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
            ))
        carom_SSL_CTX_set_max_send_fragment(pointer, Self.recordSize)
        // Without read-ahead each record costs two system calls: five bytes of header, then the body.
        carom_SSL_CTX_set_read_ahead(pointer, 1)
        // PostgreSQL's messages carry their length, so a missing close_notify cannot pass for a complete answer.
        SSL_CTX_set_options(
            pointer,
            carom_SSL_OP_NO_RENEGOTIATION | carom_SSL_OP_NO_COMPRESSION
                | carom_SSL_OP_CIPHER_SERVER_PREFERENCE
                | carom_SSL_OP_IGNORE_UNEXPECTED_EOF)
    }

    private func applyVersions() throws(TLSError) {
        guard let range = options.versions.range else {
            throw TLSError(.configuration, "no TLS protocol version is allowed", about: .versions)
        }
        SSL_CTX_set_options(pointer, range.holes)
        guard carom_SSL_CTX_set_min_proto_version(pointer, range.lowest) == 1,
            carom_SSL_CTX_set_max_proto_version(pointer, range.highest) == 1
        else {
            throw .drained(
                .configuration, "OpenSSL on this host does not support the TLS protocols asked for",
                about: .versions)
        }
    }

    private func applyCiphers() throws(TLSError) {
        if let list = options.ciphers, SSL_CTX_set_cipher_list(pointer, list) != 1 {
            throw .drained(.configuration, "no usable cipher in the list \"\(list)\"", about: .ciphers)
        }
        if let list = options.cipherSuites, SSL_CTX_set_ciphersuites(pointer, list) != 1 {
            throw .drained(
                .configuration, "no usable TLS 1.3 cipher suite in the list \"\(list)\"", about: .cipherSuites
            )
        }
        if let list = options.groups, carom_SSL_CTX_set1_groups_list(pointer, list) != 1 {
            throw .drained(
                .configuration, "unknown key exchange group in the list \"\(list)\"", about: .groups)
        }
    }

    private func applyResumption() throws(TLSError) {
        guard options.resumption else {
            SSL_CTX_set_options(pointer, carom_SSL_OP_NO_TICKET)
            SSL_CTX_set_num_tickets(pointer, 0)
            carom_SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
            return
        }
        switch role {
        case .server:
            // Stateless tickets only: nothing is kept per client. One, not OpenSSL's two, which are for clients that use each
            // once: most clients of a database use none, and each ticket costs. Resuming with client certificates needs an id.
            SSL_CTX_set_num_tickets(pointer, 1)
            carom_SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
            let id = Array("carom".utf8)
            guard SSL_CTX_set_session_id_context(pointer, id, UInt32(id.count)) == 1 else {
                throw .drained(.configuration, "cannot set the TLS session id context")
            }
        case .client:
            carom_SSL_CTX_set_session_cache_mode(
                pointer, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
            SSL_CTX_sess_set_new_cb(pointer) { ssl, ticket in
                guard let ticket, let session = CarrierBIO.session(of: ssl) else { return 0 }
                session.keep(SessionTicket(owning: ticket))
                return 1
            }
        }
    }

    private func applyApplicationProtocol() throws(TLSError) {
        guard !applicationProtocols.isEmpty else { return }
        switch role {
        case .client:
            // Zero means success, unlike everywhere else in OpenSSL.
            guard
                SSL_CTX_set_alpn_protos(pointer, applicationProtocols, UInt32(applicationProtocols.count))
                    == 0
            else { throw .drained(.configuration, "cannot set the ALPN protocol") }
        case .server:
            SSL_CTX_set_alpn_select_cb(pointer, selectApplicationProtocol, nil)
        }
    }
}

/// Picks our protocol from a client's list, and ends the handshake if the client speaks only others: that keeps a
/// page that talks HTTPS from being relayed to a database (the ALPACA attack).
private let selectApplicationProtocol: SSL_CTX_alpn_select_cb_func = {
    ssl, out, outLength, offered, length, _ in
    guard let out, let outLength, let offered, let session = CarrierBIO.session(of: ssl) else {
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
    let ours = session.context.applicationProtocols
    let list = UnsafeBufferPointer(start: offered, count: Int(length))
    var index = 0
    while index < list.count {
        let end = index + 1 + Int(list[index])
        guard end <= list.count else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        if list[index..<end].elementsEqual(ours) {
            // The answer points into the client's own list, which outlives this call.
            out.pointee = offered + index + 1
            outLength.pointee = UInt8(end - index - 1)
            return SSL_TLSEXT_ERR_OK
        }
        index = end
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
