// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import CaromTLS

/// One place where clients are accepted; a reference, as every client that came there keeps it.
final class ListenerDefinition: Sendable {
    let settings: ListenSettings
    let address: ListenAddress
    /// From accept to authenticated.
    let loginTimeout: Duration
    /// Certificate and key of now; nil where TLS is not spoken. All workers share it, and with it the key of the tickets by which
    /// clients resume their sessions.
    let tls: TLSContext?
    /// What a client is told that asks for encryption, or does not.
    let encryption: StartupMachine.Encryption

    /// - Throws: `TLSError` when certificate, key or authorities cannot be used.
    init(_ listener: ListenSettings, address: ListenAddress, loginTimeout: Duration) throws(TLSError) {
        settings = listener
        self.address = address
        self.loginTimeout = listener.clientLoginTimeout ?? loginTimeout
        encryption = Self.encryption(listener.tls.mode, at: address)
        tls = encryption == .none ? nil : try TLSContext(.server, listener.tls.options(for: .server))
    }

    /// A Unix socket has none, as with PostgreSQL: nobody is between its ends.
    private static func encryption(_ mode: TLSMode, at address: ListenAddress) -> StartupMachine.Encryption {
        if case .unixSocket = address { return .none }
        switch mode {
        case .disable: return .none
        case .allow, .prefer: return .offered
        case .require, .verifyCA, .verifyFull: return .required
        }
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
