// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor
import CaromTLS
import Glibc

/// What stays true of a connected socket as long as it is open, for tables about it. It may be read on any thread.
package struct TransportFacts: Sendable {
    package let descriptor: Int32
    /// The local end.
    package let local: SocketAddress
    /// Version and cipher, such as `TLSv1.3/TLS_AES_256_GCM_SHA384`; nil in the open.
    package let encryption: String?
    /// Who connected from the other end of a Unix socket.
    package let peerProcess: Process?

    /// A process of this machine, when it connected.
    package struct Process: Hashable, Sendable {
        package let number: Int32
        package let user: UInt32
    }
}

extension TransportFacts {
    /// On the thread of the transport's reactor; two system calls at most. Nil once it is closed.
    package init?(of transport: Transport) {
        guard let descriptor = transport.openDescriptor else { return nil }
        self.init(
            descriptor: descriptor, local: transport.local,
            encryption: transport.tls.map { tls in
                [tls.session.version, tls.session.cipher].compactMap(\.self).joined(separator: "/")
            },
            peerProcess: transport.peer.isUnix ? Self.process(atPeerOf: descriptor) : nil)
    }

    private static func process(atPeerOf descriptor: Int32) -> Process? {
        // As `struct ucred`, which the Swift module of the C library does not have.
        var credentials: (process: pid_t, user: uid_t, group: gid_t) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0,
            credentials.process > 0
        else { return nil }
        return Process(number: credentials.process, user: credentials.user)
    }
}
