// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A nameserver's address and port.
public struct DNSServer: Hashable, Sendable, CustomStringConvertible {
    /// A numeric IPv4 or IPv6 address.
    public let address: String
    /// 53 unless something else is meant.
    public let port: UInt16

    /// Takes a numeric address. Throws `invalidServer` for anything else, and for port 0.
    public init(address: String, port: UInt16 = 53) throws(DNSError) {
        guard let parsed = IPAddress(address), port > 0 else {
            throw DNSError(
                .invalidServer,
                "\"\(address)\" port \(port) is not a nameserver: a numeric IPv4 or IPv6 address and a port from 1 to 65535 are needed"
            )
        }
        self.address = parsed.description
        self.port = port
    }

    /// Reads `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`.
    public init(parsing text: String) throws(DNSError) {
        func invalid() -> DNSError {
            DNSError(
                .invalidServer,
                "\"\(text)\" is not a nameserver: write 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353"
            )
        }
        if IPAddress(text) != nil {
            try self.init(address: text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            port > 0
        else { throw invalid() }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard case .v6? = IPAddress(String(host)) else { throw invalid() }
        } else {
            guard case .v4? = IPAddress(String(host)) else { throw invalid() }
        }
        try self.init(address: String(host), port: port)
    }

    /// `address:port`, with brackets around IPv6.
    public var description: String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}
