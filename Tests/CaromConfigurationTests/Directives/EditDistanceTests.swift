// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// Misspelled words are recognized.
@Suite struct EditDistanceTests {
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("port", "prot", 2),
        ("same", "same", 0),
    ])
    func distancesAreThoseOfLevenshtein(left: String, right: String, expected: Int) {
        #expect(editDistance(left, right) == expected)
        #expect(editDistance(right, left) == expected)
    }

    @Test func aSpellingIsCorrectedUpToTwoLetters() {
        let words = ["workers", "port", "host"]
        #expect(nearest(to: "wrokers", among: words) == "workers")
        #expect(nearest(to: "wrkrs", among: words) == "workers")
        #expect(nearest(to: "wrks", among: words) == nil)
        #expect(nearest(to: "hort", among: words) == "port")
        #expect(nearest(to: "x", among: ["ab"]) == nil)
    }
}
