// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private func channels(_ text: String) -> UnlistenedChannels {
    UnlistenedChannels(in: Array(text.utf8).span.bytes)
}

@Suite struct UnlistenedChannelsTests {
    private static let texts: [(String, Set<String>)] = [
        ("UNLISTEN a", ["a"]), ("unlisten A;", ["a"]), ("UNLISTEN \"A\"\"b\"", ["A\"b"]),
        ("UNLISTEN a; SELECT 1; UNLISTEN b", ["a", "b"]), ("/* x */ UNLISTEN -- y\n a", ["a"]),
        ("LISTEN a", []), ("SELECT 'UNLISTEN a'", []), ("UNLISTEN a b", []), ("UNLISTEN", []),
        ("DISCARD TEMP", []), ("UNLISTEN é", ["é"]), ("", []),
    ]

    @Test(arguments: texts)
    func namesAreFound(_ text: String, _ names: Set<String>) {
        #expect(channels(text).names == names && !channels(text).areAll)
        #expect(channels(text).isEmpty == names.isEmpty)
    }

    @Test(arguments: [
        "UNLISTEN *", "unlisten*", "LISTEN a; UNLISTEN *", "DISCARD ALL", "UNLISTEN a; discard all",
    ])
    func theyMayBeAll(_ text: String) {
        #expect(channels(text).areAll && channels(text).remaining(of: ["a", "z"]).isEmpty)
    }

    @Test func whatIsNotStoppedRemains() {
        var stopped = channels("UNLISTEN a")
        stopped.formUnion(channels("UNLISTEN b"))
        #expect(stopped.remaining(of: ["a", "b", "c"]) == ["c"])
        stopped.formUnion(channels("UNLISTEN *"))
        #expect(stopped.remaining(of: ["c"]).isEmpty)
    }

    @Test func longNamesAreCutAsTheServerCutsThem() {
        #expect(
            channels("UNLISTEN " + String(repeating: "x", count: 70)).names == [
                String(repeating: "x", count: 63)
            ])
        // The character of two bytes does not fit whole.
        let name = String(repeating: "x", count: 62) + "é"
        #expect(channels("UNLISTEN \"\(name)\"").names == [String(repeating: "x", count: 62)])
    }

    @Test func ofATextThatCannotBeCutNothingIsKnown() {
        #expect(channels("UNLISTEN a; SELECT 'x\\' ; UNLISTEN *; --'").isEmpty)
    }
}
