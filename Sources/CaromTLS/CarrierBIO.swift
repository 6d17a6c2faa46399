// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Glibc

/// OpenSSL's way to the carrier of a session, in place of its own socket BIO: what is read and sent goes the carrier's way,
/// which knows the socket's readiness and saves the calls that would only say so.
enum CarrierBIO {
    // Made once, then only read: safe to share between threads.
    nonisolated(unsafe) private static let method: OpaquePointer? = makeMethod()

    /// A BIO over the carrier of `session`, which must outlive it. Ownership goes to the caller, normally on to `SSL_set_bio`.
    static func make(_ session: TLSSession) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    /// Whether the peer has ended its side of the TCP stream.
    static func isAtEnd(_ bio: OpaquePointer?) -> Bool {
        bio.map { BIO_test_flags($0, BIO_FLAGS_IN_EOF) != 0 } ?? false
    }

    /// Our session that OpenSSL's belongs to, for its callbacks, which run only inside calls on this very session.
    static func session(of ssl: OpaquePointer?) -> TLSSession? {
        ssl.flatMap(SSL_get_rbio).flatMap(session)
    }

    private static func session(_ bio: OpaquePointer) -> TLSSession? {
        BIO_get_data(bio).map { Unmanaged<TLSSession>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func carrier(_ bio: OpaquePointer) -> (any TLSCarrier)? { session(bio)?.carrier }

    private static func makeMethod() -> OpaquePointer? {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "carrier")
        else { return nil }
        BIO_meth_set_read(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0, let carrier = CarrierBIO.carrier(bio) else { return 0 }
            carom_BIO_clear_retry_flags(bio)
            switch carrier.receive(into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(count))) {
            case .bytes(let received): return Int32(received)
            case .wouldBlock:
                carom_BIO_set_retry_read(bio)
                return -1
            case .end:
                BIO_set_flags(bio, BIO_FLAGS_IN_EOF)
                return 0
            case .failed(let code):
                errno = code
                return -1
            }
        }
        BIO_meth_set_write(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0, let carrier = CarrierBIO.carrier(bio) else { return 0 }
            carom_BIO_clear_retry_flags(bio)
            switch carrier.send(UnsafeRawBufferPointer(start: buffer, count: Int(count))) {
            case .bytes(let sent): return Int32(sent)
            case .wouldBlock:
                carom_BIO_set_retry_write(bio)
                return -1
            case .end: return 0
            case .failed(let code):
                errno = code
                return -1
            }
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_EOF: CarrierBIO.isAtEnd(bio) ? 1 : 0
            case BIO_CTRL_FLUSH, BIO_CTRL_DUP: 1
            default: 0
            }
        }
        return method
    }
}
