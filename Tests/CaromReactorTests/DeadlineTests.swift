// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromReactor

@Suite struct DeadlineTests {
    @Test(
        arguments: [
            (10, Duration.nanoseconds(5), 15), (10, .nanoseconds(-5), 5), (10, .nanoseconds(-11), 0),
            (10, .seconds(Int64.max), .max), (10, .seconds(-Int64.max), 0),
            (UInt64.max - 3, .nanoseconds(3), .max),
            (UInt64.max - 3, .nanoseconds(9), .max), (UInt64.max, .seconds(-1), .max), (0, .zero, 0),
            (1 << 63, .seconds(-Int64.max), 0), (1, .nanoseconds(Int64.min + 1), 0),
        ] as [(UInt64, Duration, UInt64)])
    func addingATimeSaturatesBothWays(_ start: UInt64, _ time: Duration, _ end: UInt64) {
        #expect((Deadline(nanoseconds: start) + time).nanoseconds == end)
    }

    @Test(
        arguments: [
            (Duration.seconds(Int64.max), Int64.max), (.seconds(Int64.min), .min),
            (.seconds(2), 2_000_000_000),
            (.nanoseconds(Int64.max), .max), (.nanoseconds(Int64.min), .min), (.nanoseconds(-7), -7),
            (.nanoseconds(Int64.max) + .nanoseconds(1), .max),
            (.nanoseconds(Int64.min) - .nanoseconds(1), .min),
            (Duration(secondsComponent: 1, attosecondsComponent: 999_999_999), 1_000_000_000),
        ] as [(Duration, Int64)])
    func aDurationInNanosecondsIsClamped(_ duration: Duration, _ expected: Int64) {
        #expect(duration.nanoseconds == expected)
    }

    /// 64 bits hold what is left of the attoseconds of up to 9,444 seconds.
    @Test func aDurationInNanosecondsIsTheSameByWhicheverDivision() {
        let border = Duration(attoseconds: Int128(UInt64.max) << 9)
        var durations = (0..<64).map {
            Duration(attoseconds: border.attoseconds - 1_000_000_000 + Int128(1) << $0)
        }
        durations += (0..<1_000).map { _ in
            Duration(attoseconds: Int128.random(in: -(1 << 75)...(1 << 75)))
        }
        for duration in durations {
            #expect(duration.nanoseconds == Int64(duration.attoseconds / 1_000_000_000), "\(duration)")
        }
    }

    @Test func theTimeBetweenTwoPointsHasADirection() {
        let (early, late) = (Deadline(nanoseconds: 3), Deadline(nanoseconds: 10))
        #expect(early.duration(to: late) == .nanoseconds(7))
        #expect(late.duration(to: early) == .nanoseconds(-7))
        #expect(Deadline(nanoseconds: 0).duration(to: .never) == .nanoseconds(Int64.max))
        #expect(early < late && late < .never)
    }

    @Test func noTimeoutNeverEnds() {
        #expect(Deadline.after(nil) == .never)
        let now = Deadline.now
        #expect(Deadline.after(.seconds(1)) >= now + .seconds(1))
        #expect(Deadline.after(.seconds(-1)) < .now)
    }
}
