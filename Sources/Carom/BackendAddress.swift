// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Where a backend listens: a literal IP address with a port, or the path of a Unix domain socket.
///
/// Names are a resolver's business; by the time a pool sees an address it is literal.
public enum BackendAddress: Hashable, Sendable {
    /// A literal IPv4 address (`"10.0.0.1"`) or IPv6 address (`"::1"`, without brackets) and a port.
    case ip(String, port: UInt16)
    /// The absolute path of a Unix domain socket.
    case unix(path: String)

    /// Reads `1.2.3.4:5432`, `[::1]:5432`, `/path`, or `unix:/path`; the port may be left out if there is a
    /// default, and an IPv6 address without a port may be written without brackets.
    ///
    /// - Throws: ``BackendAddressError``, which quotes the text and says what was expected.
    public init(parsing text: String, defaultPort: UInt16? = nil) throws(BackendAddressError) {
        if text.hasPrefix("unix:") || text.hasPrefix("/") {
            self = .unix(path: try Self.path(in: text))
            return
        }
        let parts: HostPort
        do throws(HostPortError) {
            parts = try HostPort(parsing: text)
        } catch {
            throw BackendAddressError(text: text, expected: error.expected)
        }
        let host = parts.host
        guard IPLiteral.isAddress(host) else {
            throw BackendAddressError(
                text: text, expected: "a literal IPv4 or IPv6 address, or a socket path")
        }
        guard let port = parts.port ?? defaultPort else {
            throw BackendAddressError(text: text, expected: "a port")
        }
        self = .ip(host, port: port)
    }

    private static func path(in text: String) throws(BackendAddressError) -> String {
        let path = text.hasPrefix("unix:") ? String(text.dropFirst(5)) : text
        guard path.hasPrefix("/"), path.utf8.count > 1, path.utf8.count <= 107, !path.utf8.contains(0) else {
            throw BackendAddressError(text: text, expected: "an absolute path of at most 107 bytes")
        }
        return path
    }
}

extension BackendAddress: CustomStringConvertible {
    /// The address in the syntax that ``init(parsing:defaultPort:)`` reads.
    public var description: String {
        switch self {
        case .ip(let host, let port): host.utf8.contains(58) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// A text that should have been a backend's address and is not.
public struct BackendAddressError: Error, Hashable, CustomStringConvertible {
    /// The text as it was given.
    public let text: String
    /// What would have been understood instead.
    public let expected: String

    /// One sentence with the text and the expectation.
    public var description: String { "'\(text)' is not a backend address: expected \(expected)" }
}
