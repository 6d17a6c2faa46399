// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Glibc

/// OpenSSL's way to our sockets. Its own socket BIO uses write(2), which raises SIGPIPE in programs that have not
/// ignored it; this one uses send(2) with `MSG_NOSIGNAL`. The descriptor stays the caller's and is never closed here.
enum SocketBIO {
    // Made once, then only read: safe to share between threads.
    nonisolated(unsafe) private static let method: OpaquePointer? = makeMethod()

    /// A BIO over a non-blocking socket. Ownership goes to the caller, normally on to `SSL_set_bio`.
    static func make(descriptor: Int32) -> OpaquePointer? {
        guard let method, let bio = BIO_new(method) else { return nil }
        // The descriptor itself, offset by one so that it is never a null pointer.
        BIO_set_data(bio, UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1))
        BIO_set_init(bio, 1)
        return bio
    }

    /// Whether the peer has ended its side of the TCP stream.
    static func isAtEnd(_ bio: OpaquePointer?) -> Bool {
        bio.map { BIO_test_flags($0, BIO_FLAGS_IN_EOF) != 0 } ?? false
    }

    private static func descriptor(_ bio: OpaquePointer) -> Int32 {
        Int32(truncatingIfNeeded: Int(bitPattern: BIO_get_data(bio)) - 1)
    }

    private static func makeMethod() -> OpaquePointer? {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE")
        else { return nil }
        BIO_meth_set_read(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0 else { return 0 }
            carom_BIO_clear_retry_flags(bio)
            var received: Int
            repeat {
                received = recv(SocketBIO.descriptor(bio), buffer, Int(count), 0)
            } while received < 0 && errno == EINTR
            if received < 0, errno == EAGAIN { carom_BIO_set_retry_read(bio) }
            if received == 0 { BIO_set_flags(bio, BIO_FLAGS_IN_EOF) }
            return Int32(received)
        }
        BIO_meth_set_write(method) { bio, buffer, count in
            guard let bio, let buffer, count > 0 else { return 0 }
            carom_BIO_clear_retry_flags(bio)
            var sent: Int
            repeat {
                sent = send(SocketBIO.descriptor(bio), buffer, Int(count), Int32(MSG_NOSIGNAL))
            } while sent < 0 && errno == EINTR
            if sent < 0, errno == EAGAIN { carom_BIO_set_retry_write(bio) }
            return Int32(sent)
        }
        BIO_meth_set_ctrl(method) { bio, command, _, _ in
            switch command {
            case BIO_CTRL_EOF: SocketBIO.isAtEnd(bio) ? 1 : 0
            case BIO_CTRL_FLUSH, BIO_CTRL_DUP: 1
            default: 0
            }
        }
        return method
    }
}
