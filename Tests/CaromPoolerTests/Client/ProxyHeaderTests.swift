// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTestSupport
import Testing

@testable import CaromPooler

/// Headers of the PROXY protocol, versions 1 and 2.
@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]

    private static func line(_ text: String) -> [UInt8] { Array((text + "\r\n").utf8) }

    /// - Parameter more: what stands behind the addresses.
    private static func block(
        _ addresses: [UInt8], _ command: UInt8 = 0x21, _ family: UInt8 = 0x11, more: [UInt8] = []
    ) -> [UInt8] {
        let rest = addresses + more
        return signature + [command, family, UInt8(rest.count >> 8), UInt8(rest.count & 0xff)] + rest
    }

    private static let ipv4: [UInt8] = [10, 1, 2, 3, 10, 0, 0, 1, 0x1f, 0x90, 0x19, 0x20]
    private static let ipv6: [UInt8] =
        [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [9] + Array(repeating: 0, count: 15) + [1]
        + [0x1f, 0x90, 0x19, 0x20]
    private static let mapped: [UInt8] =
        Array(repeating: 0, count: 10) + [0xff, 0xff, 10, 1, 2, 3] + Array(repeating: 0, count: 15) + [1]
        + [0x1f, 0x90, 0x19, 0x20]

    private static let good: [([UInt8], String?)] = [
        (line("PROXY TCP4 10.1.2.3 10.0.0.1 8080 6432"), "10.1.2.3:8080"),
        (line("PROXY TCP6 2001:db8::9 ::1 8080 6432"), "[2001:db8::9]:8080"),
        (line("PROXY TCP6 ::ffff:10.1.2.3 ::1 8080 6432"), "10.1.2.3:8080"),
        (line("PROXY TCP4 255.255.255.255 255.255.255.255 0 65535"), "255.255.255.255:0"),
        (line("PROXY UNKNOWN"), nil), (line("PROXY UNKNOWN whatever this is"), nil),
        (
            line(
                "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"
            ),
            nil
        ),
        (block(ipv4), "10.1.2.3:8080"), (block(ipv6, 0x21, 0x21), "[2001:db8::9]:8080"),
        (block(mapped, 0x21, 0x21), "10.1.2.3:8080"),
        (block(ipv4, more: Array(repeating: 4, count: 1_000)), "10.1.2.3:8080"),
        (block(ipv4, 0x20, 0x11), nil), (block([], 0x20, 0), nil), (block([1, 2, 3], 0x21, 0), nil),
        (block(Array(repeating: 7, count: 216), 0x21, 0x31), nil),
    ]

    @Test func headersSayWhereTheClientIs() {
        for (bytes, client) in Self.good {
            guard case .header(let header) = ProxyHeader.read(bytes) else {
                Issue.record("\(bytes) is not read: \(ProxyHeader.read(bytes))")
                continue
            }
            #expect(header.client?.description == client && header.length == bytes.count)
            // What follows is the client's.
            #expect(ProxyHeader.read(bytes + [0, 0, 0, 8]) == .header(header))
        }
    }

    @Test func halfAHeaderIsWaitedFor() {
        for (bytes, _) in Self.good {
            for count in 0..<bytes.count {
                #expect(ProxyHeader.read(Array(bytes.prefix(count))) == .needMore, "\(count) of \(bytes)")
            }
        }
    }

    @Test(
        arguments: [
            // Clients without a proxy: startup, TLS, HTTP.
            ([0, 0, 0, 8, 4, 210, 22, 47], "is missing", 0), ([22, 3, 1], "is missing", 0),
            (Array("GET / HTTP/1.1\r\n".utf8), "is missing", 0), (Array("PROXX".utf8), "is missing", 4),
            (line("PROXY TCP5 10.1.2.3 10.0.0.1 8080 6432"), "none of TCP4, TCP6 and UNKNOWN", 6),
            (line("PROXY  TCP4 10.1.2.3 10.0.0.1 8080 6432"), "none of TCP4, TCP6 and UNKNOWN", 6),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1 8080"), "5 words, not 6", 6),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1 8080 6432 1"), "7 words, not 6", 6),
            (line("PROXY TCP4 10.1.2 10.0.0.1 8080 6432 "), "7 words", 6),
            (line("PROXY TCP4 10.1.2 10.0.0.1 8080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 ::1 ::1 8080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP6 10.1.2.3 10.0.0.1 8080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP6 fe80::1%lo ::1 8080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 localhost 10.0.0.1 8080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1 65536 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1 080 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1 -1 6432"), "an address or a port is wrong", 11),
            (line("PROXY TCP4 10.1.2.3 10.0.0.1  6432"), "an address or a port is wrong", 11),
            (Array("PROXY UNKNOWN\n".utf8), "does not end with CR LF", 13),
            (Array("PROXY UNKNOWN ".utf8) + Array(repeating: 65, count: 100), "longer than 107 bytes", 107),
            (signature.dropLast() + [11, 0x21, 0x11, 0, 12], "is missing", 11),
            (block(ipv4, 0x11, 0x11), "version 1", 12), (block(ipv4, 0x31, 0x11), "version 3", 12),
            (block(ipv4, 0x22, 0x11), "command 2", 12), (block(ipv4, 0x21, 0x12), "family and transport", 13),
            (block(ipv4, 0x21, 0x21), "too few for two addresses", 14),
            (block(Array(ipv4.dropLast()), 0x21, 0x11), "too few for two addresses", 14),
            (signature + [0x21, 0x11, 0xff, 0xff], "at most 4096", 14),
        ] as [([UInt8], String, Int)])
    func whatIsNoHeaderIsSaidWithItsPlace(bytes: [UInt8], reason: String, place: Int) {
        guard case .invalid(let message, let at) = ProxyHeader.read(bytes) else {
            Issue.record("it is taken: \(ProxyHeader.read(bytes))")
            return
        }
        #expect(message.contains(reason) && at == place, "\(message) at \(at)")
    }

    @Test func noBytesAreTooMuchForIt() {
        var random = SeededRandom.printed(for: "headers of proxies")
        for _ in 0..<20_000 {
            var bytes = Self.good.randomElement(using: &random)!.0
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            let cut = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            if case .header(let header) = ProxyHeader.read(cut) { #expect(header.length <= cut.count) }
        }
    }
}
