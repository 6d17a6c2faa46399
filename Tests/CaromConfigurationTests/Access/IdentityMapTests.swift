// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

@Suite struct IdentityMapTests {
    private static func read(_ text: String) throws(AccessFileFindings) -> IdentityMap {
        try IdentityMap(ofFileAt: "ident", FakeFiles(contents: ["ident": text]).source)
    }

    @Test func withoutAMapTheNamesMustBeTheSame() throws {
        for map in [IdentityMap(), try Self.read("people ann bob")] {
            #expect(map.allows("ann", toBe: "ann", by: nil))
            #expect(!map.allows("ann", toBe: "bob", by: nil))
            #expect(!map.allows("ann", toBe: "Ann", by: nil))
        }
    }

    @Test(
        "A map says who may be which user",
        arguments: [
            ("people ann bob", "ann", "bob", true), ("people ann bob", "ann", "ann", false),
            ("people ann bob\npeople ann ann", "ann", "ann", true), ("others ann bob", "ann", "bob", false),
            ("people /^(.*)@shop$ \\1", "ann@shop", "ann", true),
            ("people /^(.*)@shop$ \\1", "ann@shop.evil", "ann", false),
            ("people /^(.*)@shop$ \\1", "ann@shop", "bob", false),
            ("people /^(.*)@shop$ shop_\\1", "ann@shop", "shop_ann", true),
            ("people /^a guest", "ann", "guest", true), ("people /^a guest", "bob", "guest", false),
            ("people /^[0-9]+$ \\1", "7", "7", false),
            ("people \"an n\" bob", "an n", "bob", true),
        ])
    func maps(text: String, proved: String, user: String, isAllowed: Bool) throws {
        #expect(try Self.read(text).allows(proved, toBe: user, by: "people") == isAllowed)
    }

    @Test func linesThatAreWrongAreTold() throws {
        let error = #expect(throws: AccessFileFindings.self) {
            try Self.read("people ann\npeople /( bob\npeople ann,eve bob\npeople ann bob")
        }
        #expect(error?.findings.map(\.line) == [1, 2, 3])
        #expect(error?.messages[1] == "ident:2: \"(\" is no regular expression")
    }
}
