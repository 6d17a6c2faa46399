// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc
import Synchronization

/// Listening sockets that a service manager opened and handed over (systemd's socket activation, sd_listen_fds(3)): callers wait in them
/// while the pooler is not there yet, or is started anew. Or those of a pooler that this one takes over from.
package final class InheritedSockets: Sendable {
    /// A socket that listens.
    struct Socket: Sendable {
        let address: SocketAddress
        let descriptor: Int32
        /// The file of a Unix socket goes when it is closed.
        var ownsFile = false
        /// Another process accepts on it, too, until it says that it does not.
        var isShared = false
    }

    private let descriptors: Mutex<[Socket]>

    /// The first of them, by the protocol.
    private static let first: Int32 = 3

    /// Reads the environment; there are none unless they are meant for this process.
    package init(environment: (String) -> String?, processID: Int32) {
        var found: [Socket] = []
        if environment("LISTEN_PID") == "\(processID)",
            let count = environment("LISTEN_FDS").flatMap(Int32.init), count > 0
        {
            for descriptor in Self.first..<(Self.first &+ min(count, 1_000)) {
                if let address = Listener.address(ofListening: descriptor) {
                    found.append(Socket(address: address, descriptor: descriptor))
                }
            }
        }
        descriptors = Mutex(found)
    }

    /// Those of a process that is taken over from.
    init(_ takeover: Takeover) {
        descriptors = Mutex(
            takeover.sockets.compactMap { socket in
                socket.descriptor.take().map {
                    Socket(
                        address: socket.address, descriptor: $0, ownsFile: socket.ownsFile, isShared: true)
                }
            })
    }

    /// The one that listens on this address. It is the caller's then.
    func take(_ address: SocketAddress) -> Socket? {
        descriptors.withLock { descriptors in
            guard let index = descriptors.firstIndex(where: { $0.address == address }) else { return nil }
            return descriptors.remove(at: index)
        }
    }

    /// Closes those that nobody took.
    ///
    /// - Returns: where they listened.
    func closeRest() -> [SocketAddress] {
        let rest = descriptors.withLock { descriptors in
            defer { descriptors = [] }
            return descriptors
        }
        for socket in rest { close(socket.descriptor) }
        return rest.map(\.address)
    }
}
