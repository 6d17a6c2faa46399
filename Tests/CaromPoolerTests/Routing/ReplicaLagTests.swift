// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Testing

@testable import CaromPooler

/// How far a server lags, by what it has said.
@Suite struct ReplicaLagTests {
    private static func at(_ seconds: Int) -> Deadline {
        Deadline(nanoseconds: 0) + .seconds(1_000 + seconds)
    }

    private static func lag(_ readings: (at: Int, reading: LagReading)...) -> ReplicaLag {
        var lag = ReplicaLag()
        for (time, reading) in readings { lag.note(reading, at: at(time)) }
        return lag
    }

    @Test func aPrimaryAndWhoHasCaughtUpDoNotLag() {
        #expect(Self.lag((0, .primary)).lag == .zero && Self.lag((0, .caughtUp)).lag == .zero)
    }

    @Test func whoIsBehindLagsAsLongAsItsLastTransactionIsOld() {
        #expect(Self.lag((0, .behind(.seconds(90)))).lag == .seconds(90))
    }

    @Test func butNotLongerThanItHasBeenBehind() {
        #expect(Self.lag((0, .caughtUp), (2, .behind(.seconds(3_600)))).lag == .seconds(2))
        #expect(Self.lag((0, .caughtUp), (2, .behind(nil)), (9, .behind(nil))).lag == .seconds(9))
        #expect(Self.lag((0, .caughtUp), (20, .behind(.seconds(3)))).lag == .seconds(3))
    }

    @Test func whoHasNeverReplayedAnythingIsNotKnown() {
        #expect(Self.lag((0, .behind(nil))).lag == nil)
    }

    @Test func aClockThatIsAheadIsNoLag() {
        #expect(Self.lag((0, .lag(.seconds(-5)))).lag == .zero)
    }

    @Test func theLimitItselfIsWithinIt() {
        let lag = Self.lag((0, .lag(.seconds(5))))
        #expect(lag.objection(limit: .seconds(5)) == nil)
        #expect(lag.objection(limit: .milliseconds(4_900))?.text == "lags 5.0 s, more than 4.9 s")
        #expect(lag.objection(limit: .seconds(4))?.isLasting == true)
        #expect(ReplicaLag().objection(limit: .seconds(1)) == nil)
    }

    @Test func whoIsLostIsNotTrustedUntilItHasAnswered() {
        var lag = Self.lag((0, .caughtUp))
        lag.lose()
        #expect(lag.objection(limit: .seconds(1_000))?.isLasting == false)
        lag.note(.behind(.seconds(50)), at: Self.at(10))
        #expect(lag.lag == .seconds(50), "what it was before it was lost does not count")
        lag.note(.caughtUp, at: Self.at(11))
        #expect(lag.objection(limit: .seconds(1)) == nil)
    }

    @Test func whoWasNeverReachedIsDownAndNothingElse() {
        var lag = ReplicaLag()
        lag.lose()
        #expect(lag.objection(limit: .seconds(1)) == nil)
    }
}
