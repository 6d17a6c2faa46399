// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite struct DurationHistogramTests {
    private static func histogram(_ durations: [Duration]) -> DurationHistogram {
        var histogram = DurationHistogram()
        for duration in durations {
            let (seconds, attoseconds) = duration.components
            histogram.add(nanoseconds: UInt64(seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
        }
        return histogram
    }

    @Test func boundsDoubleAndBelongToWhatIsBelowThem() {
        #expect(DurationHistogram.bounds.count == 21 && DurationHistogram.lengths == 22)
        #expect(DurationHistogram.bounds.first == .microseconds(64))
        #expect(DurationHistogram.bounds.last == .microseconds(67_108_864))
        for (index, bound) in DurationHistogram.bounds.enumerated() {
            #expect(Self.histogram([bound]).counts[index] == 1)
            #expect(Self.histogram([bound + .nanoseconds(1)]).counts[index + 1] == 1)
        }
    }

    @Test(arguments: [(UInt64(0), 0), (1, 0), (.max, 21)])
    func everyDurationHasALength(_ nanoseconds: UInt64, _ length: Int) {
        #expect(DurationHistogram.length(of: nanoseconds) == length)
    }

    @Test func nothingIsLostInASum() {
        let one = Self.histogram([.microseconds(3), .seconds(2)])
        let two = Self.histogram([.seconds(2), .seconds(900)])
        let sum = one + two
        #expect(sum == Self.histogram([.microseconds(3), .seconds(2), .seconds(2), .seconds(900)]))
        #expect(sum.count == 4 && sum.nanoseconds == 904_000_003_000)
        #expect(sum + DurationHistogram() == sum)
    }

    @Test func aQuantileIsRightToAFactorOfTwo() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<100 {
            var durations = (0..<Int.random(in: 1...400, using: &random)).map { _ in
                Duration.nanoseconds(Int64.random(in: 64_000...60_000_000_000, using: &random))
            }
            durations.sort()
            let histogram = Self.histogram(durations)
            for part in [0.0, 0.01, 0.5, 0.9, 0.99, 1] {
                let place = max(0, Int((part * Double(durations.count)).rounded(.up)) - 1)
                let found = try #require(histogram.quantile(part))
                #expect(found >= durations[place] / 2 && found <= durations[place] * 2)
            }
        }
    }

    @Test func aQuantileOfNothingIsNone() {
        #expect(DurationHistogram().quantile(0.5) == nil)
        #expect(Self.histogram([.seconds(500)]).quantile(0.5) == DurationHistogram.bounds.last)
    }
}
