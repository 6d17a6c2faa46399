// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromDNS

@Suite struct NameTests {
    @Test(arguments: [
        ("db.example.com", "db.example.com"), ("DB.Example.COM.", "db.example.com"), (".", "."),
        ("_postgresql._tcp.x", "_postgresql._tcp.x"), ("a\\.b.c", "a\\.b.c"), ("a\\032b", "a\\032b"),
        ("a\\\\b", "a\\\\b"), ("\\097b", "ab"),
    ])
    func namesAreReadAndPrinted(text: String, printed: String) throws {
        #expect(try DNSName(text).description == printed)
    }

    @Test(arguments: [
        "", "..", "a..b", ".a", "a b", "a\\", "a\\25", "a\\256", "ü.de", String(repeating: "a", count: 64),
        Array(repeating: "abcdefg", count: 32).joined(separator: "."),
    ])
    func badNamesAreTypedErrors(text: String) {
        let error = #expect(throws: DNSError.self) { try DNSName(text) }
        #expect(error?.code == .invalidName)
    }

    @Test func theLongestNameFits() throws {
        let label = String(repeating: "a", count: 63)
        let text = [label, label, label, String(repeating: "b", count: 61)].joined(separator: ".")
        #expect(try DNSName(text).wire.count == 254)
        #expect(throws: DNSError.self) { try DNSName(text + "b") }
        #expect(try DNSName(text).appending(name("x")) == nil)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1:53"), ("192.0.2.1:5353", "192.0.2.1:5353"),
        ("2001:db8::1", "[2001:db8::1]:53"),
        ("[2001:db8::1]:5353", "[2001:db8::1]:5353"), ("2001:DB8:0::1", "[2001:db8::1]:53"),
    ])
    func nameserversAreRead(text: String, printed: String) throws {
        #expect(try DNSServer(parsing: text).description == printed)
    }

    @Test(arguments: [
        "", "ns.example.com", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1]:53", "1.2.3", "[::1]", "::1]:53",
    ])
    func badNameserversAreTypedErrors(text: String) {
        let error = #expect(throws: DNSError.self) { try DNSServer(parsing: text) }
        #expect(error?.code == .invalidServer)
    }
}
