// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A server of LDAP: a name or an address, and a port.
package struct LDAPServer: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// - Parameter host: an address of IPv6 with or without its brackets.
    init(host: String, port: Int) {
        self.host =
            host.first == "[" && host.last == "]" ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    /// Reads `host:port`, as nameservers have it; nil if it is none.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...])
        else { return nil }
        self.init(host: String(text[..<colon]), port: port)
    }

    /// As in a URI.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
