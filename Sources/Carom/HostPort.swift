// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A host and perhaps a port, as people write them: `host`, `host:port`, `1.2.3.4:5`, `[::1]:5`, `[::1]`, `::1`.
package struct HostPort: Hashable, Sendable {
    /// A name or a literal address, without brackets.
    package let host: String
    /// From 1 to 65535; nil if none is given.
    package let port: UInt16?

    /// Reads host and port. More than one colon without brackets is an IPv6 address without a port.
    ///
    /// - Throws: ``HostPortError``, which says what was expected.
    package init(parsing text: String) throws(HostPortError) {
        let digits: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw HostPortError(expected: "a closing bracket after the IPv6 address")
            }
            host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            guard host.contains(":"), rest.isEmpty || rest.hasPrefix(":") else {
                throw HostPortError(expected: "[IPv6 address]:port")
            }
            digits = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":"), !text[text.index(after: colon)...].contains(":") {
            host = String(text[..<colon])
            digits = text[text.index(after: colon)...]
        } else {
            host = text
            digits = nil
        }
        port = try digits.map { digits throws(HostPortError) in try Self.port(digits) }
        if host.isEmpty { throw HostPortError(expected: "a host") }
    }

    private static func port(_ digits: Substring) throws(HostPortError) -> UInt16 {
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits), port > 0 else {
            throw HostPortError(expected: "a port between 1 and 65535")
        }
        return port
    }
}

/// A text that is no host with a port.
package struct HostPortError: Error, Hashable {
    /// What would have been understood instead.
    package let expected: String
}
