// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What comes back from an `auth_query`.
@Suite struct AuthQueryAnswerTests {
    @Test func theSecretOfThatVeryUserIsFound() {
        #expect(AuthQueryAnswer([["bob", "pencil"]], of: "bob") == .found(.plain(Array("pencil".utf8))))
    }

    /// CVE-2015-6817: whoever was not known came in as the one who asks.
    @Test(
        arguments: [
            [], [["eve", "pencil"]], [[nil, "pencil"]], [["BOB", "pencil"]], [["bob ", "pencil"]],
            [["bob", nil]], [["bob", ""]], [["bob", "pencil"], ["bob", "pencil"]],
            [["bob", String(repeating: "x", count: 65_531)]],
        ] as [[[String?]]])
    func everythingElseLetsNobodyIn(_ rows: [[String?]]) {
        guard case .nothing = AuthQueryAnswer(rows, of: "bob") else {
            Issue.record("somebody may come")
            return
        }
    }

    @Test func namesThatOnlyLookTheSameAreTwo() {
        guard case .nothing = AuthQueryAnswer([["e\u{301}ve", "x"]], of: "\u{e9}ve") else {
            Issue.record("the row is taken for another user's")
            return
        }
    }

    @Test(arguments: [[["bob"]], [["bob", "pencil", "x"]], [[]]] as [[[String?]]])
    func aQueryWithOtherColumnsIsWrongItself(_ rows: [[String?]]) {
        guard case .failed = AuthQueryAnswer(rows, of: "bob") else {
            Issue.record("it is believed")
            return
        }
    }
}
