// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
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

@Suite struct AuthQueryCacheTests {
    private let start = Deadline.now
    private let bob = AuthQueryAnswer.found(.plain([1]))

    private func cache(limit: Int = 10) -> AuthQueryCache<Int> {
        AuthQueryCache(lifetime: .seconds(5), limit: limit)
    }

    @Test func whatIsNotKnownIsAskedForOnce() {
        var cache = cache()
        #expect(cache.find("bob", at: start, 1) == .ask)
        #expect(cache.find("bob", at: start, 2) == .wait)
        #expect(cache.find("ann", at: start, 3) == .ask)
        #expect(cache.learned(bob, of: "bob", at: start) == [1, 2])
        #expect(cache.find("bob", at: start, 4) == .known(bob))
        #expect(cache.learned(.nothing("x"), of: "ann", at: start) == [3])
    }

    @Test(arguments: [AuthQueryAnswer.found(.plain([1])), .nothing("no row")])
    func anAnswerHoldsForItsTimeWhateverItIs(_ answer: AuthQueryAnswer) {
        var cache = cache()
        _ = cache.find("bob", at: start, 1)
        _ = cache.learned(answer, of: "bob", at: start)
        #expect(cache.find("bob", at: start + .milliseconds(4_999), 2) == .known(answer))
        #expect(cache.find("bob", at: start + .seconds(5), 3) == .ask)
        #expect(cache.find("bob", at: start + .seconds(5), 4) == .wait)
    }

    @Test func aFailureIsNotKept() {
        var cache = cache()
        _ = cache.find("bob", at: start, 1)
        #expect(cache.learned(.failed("down"), of: "bob", at: start) == [1])
        #expect(cache.find("bob", at: start, 2) == .ask)
    }

    @Test func strangersTakeNoMoreRoomThanThereIs() {
        var cache = cache(limit: 3)
        for number in 0..<1_000 {
            let user = "user\(number)"
            #expect(cache.find(user, at: start, number) == .ask)
            #expect(cache.learned(.nothing("x"), of: user, at: start) == [number])
            #expect(cache.count <= 3)
        }
        #expect(cache.find("user999", at: start, 0) == .known(.nothing("x")))
        #expect(cache.find("user996", at: start, 0) == .ask)
        // One that is asked for again and again is one.
        for _ in 0..<1_000 { _ = cache.learned(bob, of: "bob", at: start) }
        #expect(cache.count == 3 && cache.find("user999", at: start, 0) == .known(.nothing("x")))
    }
}
