// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
public import CaromReactor

extension SocketAddress {
    /// The address of a backend.
    public init(_ address: BackendAddress) {
        switch address {
        case .ip(let host, let port): self.init(SocketAddress.Kind.ip(host, port: port))
        case .unix(let path): self.init(SocketAddress.Kind.unix(path: path))
        }
    }
}
