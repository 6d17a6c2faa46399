// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc
import Synchronization

/// Listening sockets that a service manager opened and handed over (systemd's socket activation, sd_listen_fds(3)): callers wait in them
/// while the pooler is not there yet, or is started anew.
package final class InheritedSockets: Sendable {
    private let descriptors: Mutex<[(address: SocketAddress, descriptor: Int32)]>

    /// The first of them, by the protocol.
    private static let first: Int32 = 3

    /// Reads the environment; there are none unless they are meant for this process.
    package init(environment: (String) -> String?, processID: Int32) {
        var found: [(SocketAddress, Int32)] = []
        if environment("LISTEN_PID") == "\(processID)",
            let count = environment("LISTEN_FDS").flatMap(Int32.init), count > 0
        {
            for descriptor in Self.first..<(Self.first &+ min(count, 1_000)) {
                if let address = Listener.address(ofListening: descriptor) {
                    found.append((address, descriptor))
                }
            }
        }
        descriptors = Mutex(found)
    }

    /// The one that listens on this address. It is the caller's then.
    func take(_ address: SocketAddress) -> Int32? {
        descriptors.withLock { descriptors in
            guard let index = descriptors.firstIndex(where: { $0.address == address }) else { return nil }
            return descriptors.remove(at: index).descriptor
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
        for (_, descriptor) in rest { close(descriptor) }
        return rest.map(\.address)
    }
}
