// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The one parser of addresses with a port in a configuration: `[tcp://|unix://]name|address|[v6]|/directory[:port]`.
struct HostPort: Hashable {
    enum Host: Hashable {
        /// An IPv4 or IPv6 address in the system's own spelling, without brackets.
        case address(String)
        case name(String)
        /// An absolute path.
        case path(String)
    }

    var host: Host
    var port: Int?

    /// `sun_path` holds 108 bytes with its zero, and `/.s.PGSQL.65535` takes 15 of them.
    private static let longestDirectory = 108 - 1 - 15

    init(parsing text: some StringProtocol) throws(ValueError) {
        let entry = Self.trimmed(text)
        guard !entry.isEmpty else { throw ValueError("the list has an empty entry") }
        var rest = Substring(entry)
        let wantsUnix = rest.hasPrefix("unix://")
        let wantsTCP = rest.hasPrefix("tcp://")
        if wantsUnix || wantsTCP { rest = rest.dropFirst(wantsUnix ? 7 : 6) }

        let isPath = wantsUnix || (rest.hasPrefix("/") && !wantsTCP)
        if rest.hasPrefix("["), !isPath {
            host = .address(try Self.bracketed(&rest, of: entry))
        } else {
            guard isPath || Self.address(String(rest), AF_INET6) == nil else {
                throw ValueError(
                    "the IPv6 address \(quoted(String(rest))) needs brackets", hint: "write \"[\(rest)]\"")
            }
            let name = rest.prefix { $0 != ":" }
            rest = rest[name.endIndex...]
            host = try isPath ? Self.path(name, of: entry) : Self.host(String(name))
        }
        port = try rest.isEmpty ? nil : Self.port(rest.dropFirst(), of: entry)
    }

    /// Takes `[v6]` off the front.
    private static func bracketed(_ rest: inout Substring, of entry: String) throws(ValueError) -> String {
        guard let close = rest.firstIndex(of: "]") else {
            throw ValueError("\(quoted(entry)) has no ] behind its IPv6 address")
        }
        let inside = String(rest[rest.index(after: rest.startIndex)..<close])
        rest = rest[rest.index(after: close)...]
        guard let address = address(inside, AF_INET6) else {
            throw ValueError("\(quoted(inside)) is no IPv6 address")
        }
        guard rest.isEmpty || rest.hasPrefix(":") else {
            throw ValueError("\(quoted(entry)) has something other than a port behind the ]")
        }
        return address
    }

    private static func path(_ path: Substring, of entry: String) throws(ValueError) -> Host {
        guard path.hasPrefix("/"), path.utf8.count <= longestDirectory else {
            throw ValueError("\(quoted(entry)) is no absolute path of at most \(longestDirectory) bytes")
        }
        return .path(String(path))
    }

    private static func host(_ name: String) throws(ValueError) -> Host {
        if let address = address(name, AF_INET) ?? address(name, AF_INET6) { return .address(address) }
        // Digits and dots alone are a mistyped address.
        guard isDomainName(name), name.utf8.contains(where: { !($0 == 46 || (48...57).contains($0)) }) else {
            throw ValueError("\(quoted(name)) is neither an address nor a host name")
        }
        return .name(name)
    }

    private static func port(_ digits: Substring, of entry: String) throws(ValueError) -> Int {
        guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits),
            (1...65535).contains(number)
        else {
            throw ValueError(
                "\(quoted(String(digits))) in \(quoted(entry)) is no port; expected a whole number from 1 to 65535"
            )
        }
        return number
    }

    /// The address as the system writes it, so that two spellings of one address are equal; `nil` if it is none.
    private static func address(_ text: String, _ family: Int32) -> String? {
        var address = in6_addr()
        guard inet_pton(family, text, &address) == 1 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, &address, &buffer, socklen_t(buffer.count)) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Without white space at both ends.
    static func trimmed(_ text: some StringProtocol) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// Letters, digits, hyphens and underscores in labels of 1 to 63 bytes, 253 bytes at most, a dot at the end allowed.
    static func isDomainName(_ name: String) -> Bool {
        let body = name.hasSuffix(".") ? name.dropLast() : Substring(name)
        guard (1...253).contains(body.utf8.count) else { return false }
        return body.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard (1...63).contains(label.utf8.count), !label.hasPrefix("-"), !label.hasSuffix("-") else {
                return false
            }
            return label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
        }
    }
}
