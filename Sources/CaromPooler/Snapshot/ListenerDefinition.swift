// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor

/// One place where clients are accepted; a reference, as every client that came there keeps it.
final class ListenerDefinition: Sendable {
    let settings: ListenSettings
    let address: ListenAddress

    init(_ settings: ListenSettings, address: ListenAddress) {
        self.settings = settings
        self.address = address
    }

    /// The addresses to listen on, and the permission bits if they are Unix sockets.
    ///
    /// - Throws: `SystemError` when a host name has no address.
    func socketAddresses() throws(SystemError) -> [(address: SocketAddress, mode: UInt32)] {
        // Only Unix sockets have a mode.
        let unused: UInt32 = 0o777
        switch address {
        case .everyAddress(let port):
            return [
                (SocketAddress(.ip("0.0.0.0", port: UInt16(clamping: port))), unused),
                (Self.everyIPv6(port), unused),
            ]
        case .host(let host, let port):
            return try SocketAddress.lookUp(host, port: UInt16(clamping: port)).map { ($0, unused) }
        case .unixSocket(let path, let mode):
            return [(SocketAddress(.unix(path: path)), UInt32(mode))]
        }
    }

    /// Whether this is the IPv6 half of `host "*"`, which a machine without IPv6 does without.
    func isOptional(_ address: SocketAddress) -> Bool {
        if case .everyAddress(let port) = self.address { address == Self.everyIPv6(port) } else { false }
    }

    private static func everyIPv6(_ port: Int) -> SocketAddress {
        SocketAddress(.ip("::", port: UInt16(clamping: port)))
    }
}
