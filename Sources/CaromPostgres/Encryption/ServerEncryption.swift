// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
package import CaromTLS

/// How connections to servers are encrypted, and what the servers must be called.
package struct ServerEncryption: Sendable {
    /// Mode, authorities, and the certificate that is shown to servers.
    package let context: TLSContext
    /// Connections begin with the handshake (`sslnegotiation=direct` of libpq).
    let isDirect: Bool
    private let domain: String?

    /// - Parameters:
    ///   - isDirect: connections begin with the handshake. Servers before PostgreSQL 17 do not understand that.
    ///   - domain: that of the SRV records which name the servers. A name of another domain is not believed: whoever can forge the
    ///     records could name a server of his own, with a good certificate for it.
    package init(_ context: TLSContext, isDirect: Bool = false, domain: String? = nil) {
        self.context = context
        self.isDirect = isDirect
        self.domain = domain?.lowercased()
    }

    /// What the server's certificate must be for: the name by which the backend was found, not the address that was found. One that
    /// was given by its address, or by a socket's path, has no other name.
    func name(of backend: Backend) -> String {
        let isNamed = backend.name != backend.address.description
        switch backend.address {
        case .unix(let path): return path
        case .ip(let address, _): if !isNamed { return address }
        }
        guard let domain else { return backend.name }
        let name = backend.name.lowercased()
        return name == domain || name.hasSuffix("." + domain) ? backend.name : domain
    }
}
