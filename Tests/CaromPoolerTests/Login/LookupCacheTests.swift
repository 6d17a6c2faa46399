// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Testing

@testable import CaromPooler

/// What was found out about clients lately.
@Suite struct LookupCacheTests {
    private let start = Deadline.now
    private let bob = "there is one"

    private func cache(limit: Int = 10) -> LookupCache<String, String, Int> {
        LookupCache(lifetime: .seconds(5), limit: limit)
    }

    @Test func whatIsNotKnownIsAskedForOnce() {
        var cache = cache()
        #expect(cache.find("bob", at: start, 1) == .ask)
        #expect(cache.find("bob", at: start, 2) == .wait)
        #expect(cache.find("ann", at: start, 3) == .ask)
        #expect(cache.learned(bob, of: "bob", at: start, keeping: true) == [1, 2])
        #expect(cache.find("bob", at: start, 4) == .known(bob))
        #expect(cache.learned("none", of: "ann", at: start, keeping: true) == [3])
    }

    @Test func anAnswerHoldsForItsTime() {
        let answer = bob
        var cache = cache()
        _ = cache.find("bob", at: start, 1)
        _ = cache.learned(answer, of: "bob", at: start, keeping: true)
        #expect(cache.find("bob", at: start + .milliseconds(4_999), 2) == .known(answer))
        #expect(cache.find("bob", at: start + .seconds(5), 3) == .ask)
        #expect(cache.find("bob", at: start + .seconds(5), 4) == .wait)
    }

    @Test func aFailureIsNotKept() {
        var cache = cache()
        _ = cache.find("bob", at: start, 1)
        #expect(cache.learned("down", of: "bob", at: start, keeping: false) == [1])
        #expect(cache.find("bob", at: start, 2) == .ask)
    }

    @Test func strangersTakeNoMoreRoomThanThereIs() {
        var cache = cache(limit: 3)
        for number in 0..<1_000 {
            let user = "user\(number)"
            #expect(cache.find(user, at: start, number) == .ask)
            #expect(cache.learned("none", of: user, at: start, keeping: true) == [number])
            #expect(cache.count <= 3)
        }
        #expect(cache.find("user999", at: start, 0) == .known("none"))
        #expect(cache.find("user996", at: start, 0) == .ask)
        // One that is asked for again and again is one.
        for _ in 0..<1_000 { _ = cache.learned(bob, of: "bob", at: start, keeping: true) }
        #expect(cache.count == 3 && cache.find("user999", at: start, 0) == .known("none"))
    }
}
