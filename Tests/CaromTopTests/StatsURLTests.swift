// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromTop

@Suite struct URLTests {
    @Test(arguments: [
        ("127.0.0.1:42069", "http://127.0.0.1:42069/qtop/stats"), ("http://db", "http://db:80/qtop/stats"),
        ("ws://db:1/", "http://db:1/qtop/stats"), ("HTTP://db:1/x/y?z=1", "http://db:1/x/y?z=1"),
        ("[::1]:9", "http://[::1]:9/qtop/stats"), ("http://[::1]/s", "http://[::1]:80/s"),
        ("db:1?update_secs=3", "http://db:1/qtop/stats?update_secs=3"),
    ])
    func addressesAreRead(_ text: String, _ expected: String) throws {
        #expect(try StatsURL(text).description == expected)
    }

    @Test(arguments: [
        "", "https://db", "wss://db", "ftp://db", ":80", "db:0", "db:70000", "db:x", "::1", "[::1", "[::1]x",
        "a b",
        "db:1/\r\nX: y", "db\u{7F}", "dé",
    ])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(throws: StatsClientError.self) { try StatsURL(text) }
    }

    @Test(arguments: [
        ("db", "/qtop/stats?update_secs=5"), ("db/x?y=1", "/x?y=1&update_secs=5"),
        ("db/x?update_secs=9", "/x?update_secs=9"),
    ])
    func theIntervalIsAddedUnlessItIsThere(_ text: String, _ expected: String) throws {
        #expect(try StatsURL(text).updating(every: 5).target == expected)
    }
}
