// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc
import Synchronization

/// A descriptor on its way from one process to another, or from one thread to another. It is closed with the last reference, unless
/// somebody has taken it.
package final class PassedDescriptor: Sendable {
    private let number: Atomic<Int32>

    /// Takes the descriptor.
    package init(_ descriptor: Int32) { number = Atomic(descriptor) }

    deinit { if let descriptor = take() { close(descriptor) } }

    /// The descriptor, which is the caller's from now on; nil if somebody has it already.
    package func take() -> Int32? {
        let taken = number.exchange(-1, ordering: .acquiringAndReleasing)
        return taken < 0 ? nil : taken
    }

    /// Another descriptor of the same file, closed on exec; nil when descriptors have run out.
    package convenience init?(copyOf descriptor: Int32) {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        if copy < 0 { return nil }
        self.init(copy)
    }

    /// The descriptor, which stays where it is; −1 if somebody has it.
    package var present: Int32 { number.load(ordering: .acquiring) }
}

/// Reads and writes a Unix socket over which descriptors go as well (SCM_RIGHTS, unix(7)).
package enum DescriptorPassing {
    /// Writes bytes, and the descriptor beside the first of them, in one call.
    ///
    /// - Returns: how many bytes were taken, and then the descriptor with them; nil if the socket takes nothing now.
    /// - Throws: ``SystemError`` when the connection has failed.
    package static func send(
        _ bytes: UnsafeRawBufferPointer, _ descriptor: PassedDescriptor?, to socket: Int32
    ) throws(SystemError) -> Int? {
        while true {
            let count = carom_send_beside(socket, bytes.baseAddress, bytes.count, descriptor?.present ?? -1)
            if count >= 0 { return count }
            if errno == EINTR { continue }
            // Too many descriptors are under way: the other process takes some soon.
            if errno == EAGAIN || errno == ETOOMANYREFS { return nil }
            throw SystemError.last("write to the other process")
        }
    }

    /// Reads bytes, and the descriptor that came beside them.
    ///
    /// - Returns: how many bytes, 0 at the end; nil if nothing is there now.
    /// - Throws: ``SystemError`` when the connection has failed.
    package static func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: Int32)
        throws(SystemError) -> (count: Int, descriptor: PassedDescriptor?)?
    {
        while true {
            var descriptor: Int32 = -1
            let count = carom_receive_beside(socket, buffer.baseAddress, buffer.count, &descriptor)
            if count >= 0 { return (count, descriptor < 0 ? nil : PassedDescriptor(descriptor)) }
            if errno == EINTR { continue }
            if errno == EAGAIN { return nil }
            throw SystemError.last("read from the other process")
        }
    }

    /// The user of the process at the other end of a Unix socket; nil if the kernel does not say.
    package static func peerUser(of socket: Int32) -> UInt32? {
        // As `struct ucred`, which the Swift module of the C library does not have.
        var credentials: (process: pid_t, user: uid_t, group: gid_t) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        return credentials.user
    }
}
