// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromDNS

@Suite struct DampedSetTests {
    /// Applies answers at times (in seconds) and returns the members after each.
    func members(_ steps: [(second: Int, answer: Set<Int>)], replacing: Bool = false) -> [Set<Int>] {
        var set = DampedSet<Int>()
        return steps.map { step in
            let before = set.members
            let changed = set.apply(
                step.answer, now: .seconds(step.second), rule: DNSRemovalRule(), replacing: replacing)
            #expect(changed == (before != set.members))
            return set.members
        }
    }

    @Test func twoAnswersRemoveOneOfFour() {
        let all: Set = [1, 2, 3, 4]
        #expect(members([(0, all), (10, [1, 2, 3]), (20, [1, 2, 3])]) == [all, all, [1, 2, 3]])
    }

    @Test func threeAnswersRemoveThreeOfFourOrAll() {
        let all: Set = [1, 2, 3, 4]
        #expect(members([(0, all), (10, [1]), (20, [1]), (30, [1])]) == [all, all, all, [1]])
        #expect(members([(0, all), (10, []), (20, []), (30, [])]) == [all, all, all, []])
    }

    @Test func answersCloserThanTheSpacingCountOnce() {
        let both: Set = [1, 2]
        #expect(
            members([(0, both), (10, [1]), (12, [1]), (14, [1]), (15, [1])]) == [both, both, both, both, [1]])
    }

    @Test func anAnswerWithTheMemberStartsAnew() {
        let both: Set = [1, 2]
        #expect(
            members([(0, both), (10, [1]), (20, both), (30, [1]), (40, [1])]) == [
                both, both, both, both, [1],
            ])
    }

    @Test func newMembersAppearAtOnce() {
        #expect(members([(0, [1]), (10, [1, 2]), (20, [3])]) == [[1], [1, 2], [1, 2, 3]])
    }

    @Test func aReplacementOfAtLeastTheSameSizeIsImmediateAShrinkageIsNot() {
        #expect(members([(0, [1]), (10, [2])], replacing: true) == [[1], [2]])
        #expect(members([(0, [1, 2]), (10, [3])], replacing: true) == [[1, 2], [1, 2, 3]])
    }
}
