// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Glibc
import Synchronization

/// What a read or write came to.
package enum TLSOutcome: Hashable, Sendable {
    /// So many bytes of plain text were read or taken.
    case bytes(Int)
    /// Nothing happened; call again when the socket is readable.
    case wantRead
    /// Nothing happened; call again when the socket is writable.
    case wantWrite
    /// The peer has ended the session, with or without a closing alert.
    case closed
    /// The session is dead; close the socket.
    case failed(TLSError)
}

/// What a handshake or shutdown step came to.
package enum TLSProgress: Hashable, Sendable {
    case done
    /// Call again when the socket is readable.
    case wantRead
    /// Call again when the socket is writable.
    case wantWrite
    /// The session is dead; close the socket.
    case failed(TLSError)
}

/// TLS over one carrier, normally a non-blocking socket, which it uses but does not own.
///
/// Confinement: one thread at a time. A session may move to another thread between calls, as its socket does when a
/// server connection is claimed by another worker. Debug builds trap when two threads are inside at once.
///
/// It reads ahead: after readiness call `read` until it says `.wantRead`, not just once, or bytes that have left the
/// kernel stay unseen.
// Unchecked: the confinement above is the owner's duty, as with the socket itself.
package final class TLSSession: @unchecked Sendable {
    package let context: TLSContext
    /// Of a client.
    private let dialled: Dialled?

    let pointer: OpaquePointer
    /// Owns the session, so the session does not own it.
    unowned(unsafe) let carrier: any TLSCarrier
    /// How the session ended, if it has; every later call says the same.
    private var end: End?
    /// Whether the peer left without the closing alert: its stream ended or was reset.
    package private(set) var isTruncated = false
    /// The handshake is done.
    package private(set) var isEstablished = false
    /// Decrypted or read-ahead bytes may be waiting that no event of the socket will tell of.
    package private(set) var mayHoldBytes = false
    /// The peer takes nothing any more. What it has sent before is still to be read.
    private var isDeaf = false

    /// Whom a client dialled. Servers have a session for each client, and no room for it.
    private final class Dialled: Sendable {
        let host: String?
        /// What its tickets are kept by.
        let ticketName: String?

        init(host: String?, ticketName: String?) {
            self.host = host
            self.ticketName = ticketName
        }
    }

    /// Few sessions end before they are gone: what one failed with has no room in all.
    private indirect enum End {
        /// The connection is gone: nothing can be written any more either.
        case closed
        case failed(TLSError)
    }

    #if DEBUG
        private let isInside = Atomic<Bool>(false)
    #endif

    /// Prepares a session; nothing is sent before `handshake()`.
    ///
    /// A client passes the host name or address it connected to: a name is sent as SNI, and `verify_full` compares it
    /// with the certificate. `resumptionKey` tells
    /// servers apart that share a name, for example by port. `carrier` must outlive the session.
    package init(
        _ context: TLSContext, over carrier: any TLSCarrier, host: String? = nil, resumptionKey: String? = nil
    ) throws(TLSError) {
        self.context = context
        self.carrier = carrier
        // A resumed session skips the certificate checks, so a ticket never serves another host name.
        let hasTickets = context.options.resumption && (host ?? resumptionKey) != nil
        dialled =
            context.role == .server
            ? nil
            : Dialled(
                host: host, ticketName: hasTickets ? "\(host ?? "")\n\(resumptionKey ?? "")" : nil)
        ERR_clear_error()
        guard let pointer = SSL_new(context.pointer) else {
            throw .drained(.cryptography, "cannot make a TLS session")
        }
        self.pointer = pointer
        guard let bio = CarrierBIO.make(self) else {
            throw .drained(.cryptography, "cannot attach a TLS session to its carrier")
        }
        SSL_set_bio(pointer, bio, bio)
        switch context.role {
        case .server: SSL_set_accept_state(pointer)
        case .client:
            SSL_set_connect_state(pointer)
            try prepareClient()
        }
    }

    deinit {
        SSL_free(pointer)
    }

    /// The name we dialled (clients only); what `verify_full` checks and what sessions are resumed by.
    package var host: String? { dialled?.host }

    private func prepareClient() throws(TLSError) {
        if let host, !host.isEmpty {
            let isAddress = isIPAddress(host)
            if !isAddress, carom_SSL_set_tlsext_host_name(pointer, host) != 1 {
                throw .drained(.configuration, "cannot use \"\(host)\" as a TLS server name")
            }
            if context.options.mode == .verifyFull {
                let rules = SSL_get0_param(pointer)
                X509_VERIFY_PARAM_set_hostflags(rules, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
                let set =
                    isAddress
                    ? X509_VERIFY_PARAM_set1_ip_asc(rules, host) : X509_VERIFY_PARAM_set1_host(rules, host, 0)
                guard set == 1 else {
                    throw .drained(.configuration, "cannot check for the name \"\(host)\"")
                }
            }
        } else if context.options.mode == .verifyFull {
            throw TLSError(.configuration, "verify_full needs the name of the server, and none is given")
        }
        if let ticketName = dialled?.ticketName, let ticket = context.ticket(for: ticketName) {
            // Refusal only means a full handshake.
            SSL_set_session(pointer, ticket.pointer)
            ERR_clear_error()
        }
    }

    /// Takes the handshake as far as the socket allows. Call again after the readiness it asks for.
    package func handshake() -> TLSProgress {
        beginUse()
        defer { endUse() }
        switch end {
        case .closed: return .failed(Self.endedEarly)
        case .failed(let error): return .failed(error)
        case nil: break
        }
        if isEstablished { return .done }
        ERR_clear_error()
        let result = SSL_do_handshake(pointer)
        if result == 1 {
            isEstablished = true
            // The peer's first bytes may have come along with the end of its handshake.
            mayHoldBytes = true
            return .done
        }
        switch diagnose(result) {
        case .wantRead: return .wantRead
        case .wantWrite: return .wantWrite
        case .closed, .bytes:
            return .failed(
                die(TLSError(.handshake, "the peer closed the connection during the TLS handshake")))
        case .failed(let error): return .failed(error)
        }
    }

    /// Reads decrypted bytes. An empty buffer reads nothing.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> TLSOutcome {
        beginUse()
        defer { endUse() }
        if let ended { return ended }
        guard buffer.count > 0 else { return .bytes(0) }
        var count = 0
        Self.forgetErrors()
        let result = SSL_read_ex(pointer, buffer.baseAddress, buffer.count, &count)
        if result == 1 {
            mayHoldBytes = hasBuffered
            return .bytes(count)
        }
        let outcome = diagnose(result)
        if outcome == .wantRead || outcome == .wantWrite { mayHoldBytes = false }
        return outcome
    }

    /// Encrypts and sends. May take fewer bytes than given (about one record, 16 kB, at a time). After `.wantWrite` or
    /// `.wantRead` the same bytes must be offered again, from wherever they are by then, before any other.
    package func write(_ buffer: UnsafeRawBufferPointer) -> TLSOutcome {
        beginUse()
        defer { endUse() }
        if let ended { return ended }
        if isDeaf { return .closed }
        guard buffer.count > 0 else { return .bytes(0) }
        var count = 0
        Self.forgetErrors()
        let result = SSL_write_ex(pointer, buffer.baseAddress, buffer.count, &count)
        return result == 1 ? .bytes(count) : diagnose(result, isWriting: true)
    }

    /// Decrypted bytes that `read` would return without touching the socket.
    package var pending: Int { Int(SSL_pending(pointer)) }

    /// Whether bytes, even an incomplete record, have been read ahead: such a session is not idle.
    package var hasBuffered: Bool { SSL_has_pending(pointer) == 1 }

    /// Sends the closing alert once, without waiting for the peer's. A dead or unfinished session sends nothing.
    package func shutdown() -> TLSProgress {
        beginUse()
        defer { endUse() }
        guard ended == nil, isEstablished, !isDeaf else { return .done }
        ERR_clear_error()
        let result = SSL_shutdown(pointer)
        if result >= 0 { return .done }
        switch diagnose(result) {
        case .wantRead: return .wantRead
        case .wantWrite: return .wantWrite
        case .closed, .bytes: return .done
        case .failed(let error): return .failed(error)
        }
    }

    /// What another call has left in the thread's queue would be taken for this one's. There is nothing as a rule, and to look costs less than
    /// to clear.
    private static func forgetErrors() { if ERR_peek_error() != 0 { ERR_clear_error() } }

    /// Called by OpenSSL from inside `handshake` or `read`.
    func keep(_ ticket: SessionTicket) {
        if let ticketName = dialled?.ticketName { context.keep(ticket, for: ticketName) }
    }

    /// Turns a failed call into an outcome. Must follow the call directly: OpenSSL's queue and errno are the thread's.
    private func diagnose(_ result: Int32, isWriting: Bool = false) -> TLSOutcome {
        let systemError = errno
        switch SSL_get_error(pointer, result) {
        case SSL_ERROR_WANT_READ: return .wantRead
        case SSL_ERROR_WANT_WRITE: return .wantWrite
        case SSL_ERROR_ZERO_RETURN:
            isTruncated = CarrierBIO.isAtEnd(SSL_get_rbio(pointer))
            return .closed
        case SSL_ERROR_SYSCALL:
            let stack = drainErrors()
            if stack.isEmpty, isEstablished,
                systemError == ECONNRESET || systemError == EPIPE || systemError == 0
            {
                // Before it closed it may have sent an alert, which says why.
                if isWriting { isDeaf = true } else { end = .closed }
                isTruncated = true
                return .closed
            }
            if stack.isEmpty, CarrierBIO.isAtEnd(SSL_get_rbio(pointer)) { return .closed }
            let text = String(cString: strerror(systemError))
            return .failed(die(TLSError(.system, "the TLS connection failed: \(text)", stack: stack)))
        default:
            let stack = drainErrors()
            let verdict = SSL_get_verify_result(pointer)
            if !isEstablished, verdict != X509_V_OK, SSL_get_verify_mode(pointer) & SSL_VERIFY_PEER != 0 {
                let reason = String(cString: X509_verify_cert_error_string(verdict))
                let name = host.map { " of \($0)" } ?? ""
                return .failed(
                    die(
                        TLSError(.verification, "the certificate\(name) was refused: \(reason)", stack: stack)
                    ))
            }
            return .failed(
                die(
                    isEstablished
                        ? TLSError(.peer, "the TLS connection broke", stack: stack)
                        : TLSError(.handshake, "the TLS handshake failed", stack: stack)))
        }
    }

    /// After a fatal error OpenSSL must not be called again for this session, not even to close it.
    private func die(_ error: TLSError) -> TLSError {
        end = .failed(error)
        return error
    }

    private var ended: TLSOutcome? {
        switch end {
        case .closed: .closed
        case .failed(let error): .failed(error)
        case nil: nil
        }
    }

    private static let endedEarly = TLSError(
        .handshake, "the peer closed the connection during the TLS handshake")

    private func beginUse() {
        #if DEBUG
            precondition(
                !isInside.exchange(true, ordering: .acquiring), "a TLSSession belongs to one thread at a time"
            )
        #endif
    }

    private func endUse() {
        #if DEBUG
            isInside.store(false, ordering: .releasing)
        #endif
    }
}

private func isIPAddress(_ text: String) -> Bool {
    var bytes = (UInt64(0), UInt64(0))
    return inet_pton(AF_INET, text, &bytes) == 1 || inet_pton(AF_INET6, text, &bytes) == 1
}
