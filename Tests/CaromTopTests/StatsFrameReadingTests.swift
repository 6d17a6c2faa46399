// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromStats
import CaromTop
import FoundationEssentials
import Testing

@Suite struct StatsFrameReadingTests {
    @Test func aMessageOfAnotherLibraryIsRead() throws {
        let text = """
            {"claims": 3, "sets": {"a": {"connecting_slots": 0, "unclaimed_slots": 1, "checking_slots": 0,
            "claimed_slots": 2, "total_claims": 77}}}
            """
        let frame = try StatsFrame(json: Data(text.utf8))
        #expect(frame.carom == nil)
        #expect(
            frame.sets == [
                "a": StatsFrame.SetCounts(
                    connecting: 0, unclaimed: 1, checking: 0, claimed: 2, totalClaims: 77)
            ])
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"claims\": -1, \"sets\": {}}", "{\"claims\": 1, \"sets\": {\"a\": {}}}", "\u{0}",
    ])
    func whatIsNoMessageIsRefused(_ text: String) {
        #expect(throws: StatsClientError.self) { try StatsFrame(json: Data(text.utf8)) }
    }
}
