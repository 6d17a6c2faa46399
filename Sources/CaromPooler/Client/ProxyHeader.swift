// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import Glibc

/// What a proxy says in front of a client's bytes about where the client is: a line (version 1) or a block (version 2) of the PROXY protocol, as
/// in HAProxy's specification of it.
struct ProxyHeader: Equatable {
    /// The client; nil where the proxy comes for itself, as in a health check, or does not say for whom.
    let client: SocketAddress?
    /// How many bytes it takes.
    let length: Int

    enum Reading: Equatable {
        /// It has not come in full.
        case needMore
        case header(ProxyHeader)
        /// It is none, because of what stands at this byte.
        case invalid(String, at: Int)
    }

    /// Reads what stands at the beginning of `bytes`.
    static func read(_ bytes: [UInt8]) -> Reading {
        if bytes.first == signature[0] { return block(bytes) }
        return line(bytes)
    }

    // MARK: Version 1

    /// The longest line there is, with its end.
    private static let longestLine = 107
    private static let word = Array("PROXY ".utf8)

    private static func line(_ bytes: [UInt8]) -> Reading {
        if let wrong = zip(bytes, word).enumerated().first(where: { $1.0 != $1.1 }) {
            return .invalid("a header of the PROXY protocol is missing", at: wrong.offset)
        }
        let part = bytes.prefix(longestLine)
        guard let end = part.firstIndex(of: 0x0a) else {
            return bytes.count < longestLine
                ? .needMore : .invalid("the line is longer than \(longestLine) bytes", at: longestLine)
        }
        guard end > 0, bytes[end - 1] == 0x0d else {
            return .invalid("the line does not end with CR LF", at: end)
        }
        let words = bytes[word.count..<end - 1].split(separator: 0x20, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        // Behind this word anything may stand.
        if words.first == "UNKNOWN" { return .header(ProxyHeader(client: nil, length: end + 1)) }
        let size = words.first == "TCP4" ? 4 : words.first == "TCP6" ? 16 : 0
        guard size > 0 else {
            return .invalid("the protocol is none of TCP4, TCP6 and UNKNOWN", at: word.count)
        }
        guard words.count == 5 else {
            return .invalid("the line has \(words.count + 1) words, not 6", at: word.count)
        }
        let addresses = words[1...2].compactMap { IPNetwork.Address(literal: $0, size: size) }
        let ports = words[3...4].compactMap { port($0) }
        guard addresses.count == 2, ports.count == 2 else {
            return .invalid("an address or a port is wrong", at: word.count + 5)
        }
        return .header(ProxyHeader(client: SocketAddress(addresses[0], port: ports[0]), length: end + 1))
    }

    /// Decimal digits, without a zero in front.
    private static func port(_ text: String) -> UInt16? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), text.utf8.count == 1 || text.first != "0"
        else {
            return nil
        }
        return UInt16(text)
    }

    // MARK: Version 2

    private static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]
    /// What stands in front of the addresses: signature, version and command, family and transport, length of the rest.
    private static let fixedSize = 16
    /// Room for what proxies add behind the addresses, names and certificates among it.
    private static let longestBlock = 4_096

    private static func block(_ bytes: [UInt8]) -> Reading {
        if let wrong = zip(bytes, signature).enumerated().first(where: { $1.0 != $1.1 }) {
            return .invalid("a header of the PROXY protocol is missing", at: wrong.offset)
        }
        guard bytes.count >= fixedSize else { return .needMore }
        let (command, family) = (bytes[12], bytes[13])
        guard command >> 4 == 2 else { return .invalid("version \(command >> 4); known are 1 and 2", at: 12) }
        let rest = Int(bytes[14]) << 8 | Int(bytes[15])
        let length = fixedSize + rest
        guard length <= longestBlock else {
            return .invalid("\(length) bytes; at most \(longestBlock) are taken", at: 14)
        }
        guard bytes.count >= length else { return .needMore }
        switch command & 0xf {
        case 0: return .header(ProxyHeader(client: nil, length: length))
        case 1: break
        default: return .invalid("command \(command & 0xf); known are LOCAL (0) and PROXY (1)", at: 12)
        }
        let size: Int
        switch family {
        case 0x11: size = 4
        case 0x21: size = 16
        // Not said, or a Unix socket's: the client has no address.
        case 0x00, 0x31: return .header(ProxyHeader(client: nil, length: length))
        default:
            return .invalid(
                "family and transport \(family); a stream over IPv4, IPv6 or a Unix socket is meant", at: 13)
        }
        guard rest >= 2 * size + 4 else {
            return .invalid("\(rest) bytes are too few for two addresses", at: 14)
        }
        let address = IPNetwork.Address(bytes: Array(bytes[fixedSize..<fixedSize + size]))
        let place = fixedSize + 2 * size
        let port = UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1])
        return .header(ProxyHeader(client: SocketAddress(address.plain, port: port), length: length))
    }
}

extension IPNetwork.Address {
    /// Reads nothing but what `inet_ntop` writes: no short forms, no names of interfaces.
    ///
    /// - Parameter size: bytes that it must have.
    fileprivate init?(literal text: String, size: Int) {
        var bytes = [UInt8](repeating: 0, count: size)
        guard inet_pton(size == 4 ? AF_INET : AF_INET6, text, &bytes) == 1 else { return nil }
        self = IPNetwork.Address(bytes: bytes).plain
    }

    /// An IPv4 address that is written as an IPv6 one is the IPv4 address: lines about it must not be passed by.
    fileprivate var plain: IPNetwork.Address {
        let isMapped =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        return isMapped ? IPNetwork.Address(bytes: Array(bytes[12...])) : self
    }
}

extension SocketAddress {
    fileprivate init(_ address: IPNetwork.Address, port: UInt16) {
        self.init(.ip(address.description, port: port))
    }
}
