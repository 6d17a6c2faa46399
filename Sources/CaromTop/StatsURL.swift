// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Where a statistics stream is: `http://host:port/path`, with `ws://` or nothing in front just as well.
///
/// Without a path it is `/qtop/stats`.
public struct StatsURL: Sendable, Hashable, CustomStringConvertible {
    /// A name or a literal address, without brackets.
    public let host: String
    /// The port; 80 if none is given.
    public let port: UInt16
    /// The path and the query.
    public let target: String

    /// Reads an address.
    ///
    /// - Throws: ``StatsClientError`` that says what is allowed.
    public init(_ text: String) throws(StatsClientError) {
        func invalid(_ reason: String) -> StatsClientError {
            StatsClientError("'\(text)' is not the address of a statistics stream: \(reason)")
        }
        var rest = Substring(text)
        if let scheme = text.range(of: "://") {
            let name = text[..<scheme.lowerBound].lowercased()
            guard name == "http" || name == "ws" else { throw invalid("only http:// and ws:// are known") }
            rest = text[scheme.upperBound...]
        }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest[authority.endIndex...]
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw invalid("only printable ASCII is allowed")
        }
        var digits: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { throw invalid("a bracket is missing") }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            let tail = authority[authority.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw invalid("expected [address]:port") }
            digits = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw invalid("an IPv6 address needs brackets") }
            host = String(parts[0])
            digits = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty else { throw invalid("the host is missing") }
        if let digits {
            guard let number = UInt16(digits), number > 0 else {
                throw invalid("expected a port from 1 to 65535")
            }
            port = number
        } else {
            port = 80
        }
        switch path.first {
        case nil: target = "/qtop/stats"
        case "?": target = "/qtop/stats\(path)"
        default: target = path == "/" ? "/qtop/stats" : String(path)
        }
    }

    /// The same stream with a message every so many seconds, unless the address says so itself.
    public func updating(every seconds: UInt8) -> StatsURL {
        if target.split(whereSeparator: { $0 == "?" || $0 == "&" }).contains(where: {
            $0.hasPrefix("update_secs=")
        }) {
            return self
        }
        let mark = target.contains("?") ? "&" : "?"
        return StatsURL(host: host, port: port, target: "\(target)\(mark)update_secs=\(seconds)")
    }

    private init(host: String, port: UInt16, target: String) {
        self.host = host
        self.port = port
        self.target = target
    }

    /// Host and port, as a `Host` header has them.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The address in full.
    public var description: String { "http://\(authority)\(target)" }
}

extension String {
    fileprivate func range(of needle: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}
