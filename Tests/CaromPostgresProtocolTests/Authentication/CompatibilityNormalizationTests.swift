// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

/// NFKC of what Unicode 3.2 has.
@Suite struct CompatibilityNormalizationTests {
    private func normalize(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        let scalars = CompatibilityNormalization.normalize(text.unicodeScalars.map(\.value))
        result.append(contentsOf: scalars.compactMap(Unicode.Scalar.init))
        return String(result)
    }

    private func same(_ left: String, _ right: String) -> Bool {
        // Strings that are canonically equivalent are equal to Swift.
        left.unicodeScalars.elementsEqual(right.unicodeScalars)
    }

    @Test(arguments: [
        ("\u{2168}", "IX"), ("\u{fb01}", "fi"), ("e\u{301}", "\u{e9}"), ("\u{e9}", "\u{e9}"),
        ("\u{ff21}\u{ff42}", "Ab"), ("\u{1100}\u{1161}\u{11a8}", "\u{ac01}"), ("\u{ac01}", "\u{ac01}"),
        ("\u{ac00}\u{11a8}", "\u{ac01}"), ("\u{212b}", "\u{c5}"),
        // Marks in the wrong order, and one that is in the way of another of its class.
        ("a\u{301}\u{323}", "\u{1ea1}\u{301}"), ("a\u{323}\u{323}\u{302}", "\u{1ead}\u{323}"),
        ("\u{344}", "\u{308}\u{301}"), ("\u{958}", "\u{915}\u{93c}"),
        ("\u{1d15e}", "\u{1d157}\u{1d165}"), ("\u{1e9b}\u{323}", "\u{1e69}"),
    ])
    func textBecomesItsCompatibleForm(_ text: String, _ expected: String) {
        #expect(same(normalize(text), expected), "\(normalize(text).unicodeScalars.map(\.value))")
    }

    /// Every character of Unicode 3.2, alone and among marks and Korean letters, as Python normalizes it (a hash of all of
    /// them, FNV-1a over the characters of each result and a line feed).
    @Test(
        arguments: [
            ([], [], 0x3ed0_ee87_67a8_2110), (["a"], ["\u{301}", "\u{327}", nil], 0xfda0_a4e1_213f_3b12),
            (["\u{1100}"], ["\u{1161}", "\u{345}"], 0x45dc_3621_6c5e_2f98),
        ] as [([Unicode.Scalar], [Unicode.Scalar?], UInt64)])
    func everyCharacterIsNormalizedAsElsewhere(
        before: [Unicode.Scalar], behind: [Unicode.Scalar?], expected: UInt64
    ) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ value: UInt32) { hash = (hash ^ UInt64(value)) &* 0x100_0000_01b3 }
        for value in UInt32(0)..<0x110000 {
            guard let scalar = Unicode.Scalar(value), !SASLTables.isUnassigned(value),
                !isNoncharacter(value), scalar.properties.generalCategory != .privateUse
            else { continue }
            let text = before.map(\.value) + [value] + behind.map { $0?.value ?? value }
            for value in CompatibilityNormalization.normalize(text) { add(value) }
            add(0x0a)
        }
        #expect(hash == expected)
    }

    /// RFC 3454 prohibits these, and does not list them as unassigned.
    private func isNoncharacter(_ value: UInt32) -> Bool {
        value & 0xfffe == 0xfffe || (0xfdd0...0xfdef).contains(value)
    }

    @Test func setsBeginAndEndWhereTheyShould() {
        #expect(SASLTables.isRightToLeft(0x5d0) && SASLTables.isRightToLeft(0x5ea))
        #expect(!SASLTables.isRightToLeft(0x5cf) && !SASLTables.isRightToLeft(0x5eb))
        #expect(SASLTables.isUnassigned(0x221) && !SASLTables.isUnassigned(0x220))
        #expect(SASLTables.isUnassigned(0x1f600) && !SASLTables.isUnassigned(0x41))
        #expect(SASLTables.isProhibited(0) && SASLTables.isProhibited(0x10ffff))
        #expect(!SASLTables.isProhibited(0x20) && SASLTables.isProhibited(0xa0))
        #expect(SASLTables.isLeftToRight(0x61) && !SASLTables.isLeftToRight(0x31))
    }
}
