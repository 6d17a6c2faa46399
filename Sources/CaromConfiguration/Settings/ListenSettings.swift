// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `listen` block: one place where clients are accepted.
package struct ListenSettings: Equatable, Sendable, TLSConfigured {
    /// `host`: a name, an address, or `*` for every address of every family; `nil` for a Unix socket.
    package var host: String?
    /// `port`: also the number in a Unix socket's name.
    package var port = 6432
    /// `backlog`: connections the kernel holds until they are accepted.
    package var backlog = 128
    /// `reuse_port`: other processes listen on the same address.
    package var reusePort = false
    /// `tls` and `tls_…`.
    package var tls = TLSSettings()
    /// `client_login_timeout`, from milliseconds: from accept to authenticated; `nil` for what the top of the file says.
    package var clientLoginTimeout: Duration?
    /// `proxy_protocol`: proxies that say for whom they come, and nobody else comes here; empty for clients themselves.
    package var proxies: [ListedNetwork] = []

    package init() {}
}

/// Where to listen, as the listener needs it.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// Every local address of every family.
    case everyAddress(port: Int)
    /// One name or address; a name means every address it has.
    case host(String, port: Int)
    /// A Unix socket with these permission bits.
    case unixSocket(path: String, mode: UInt16)

    package var description: String {
        switch self {
        case .everyAddress(let port): "*:\(port)"
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unixSocket(let path, _): path
        }
    }
}
