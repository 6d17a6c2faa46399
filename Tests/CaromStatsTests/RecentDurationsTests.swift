// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromStats

@Suite struct QuantileTests {
    @Test func quantilesAreExactToTwoDigits() {
        var durations = RecentDurations(now: 0)
        for milliseconds in 1...1000 { durations.record(.milliseconds(milliseconds), now: 0) }
        let quantiles = durations.quantiles(now: 0)
        #expect(quantiles.count == 1000)
        for (found, expected) in [
            (quantiles.p50, 0.5), (quantiles.p90, 0.9), (quantiles.p99, 0.99), (quantiles.max, 1),
        ] {
            #expect(abs(found - expected) <= expected * 0.01, "found \(found) for \(expected)")
        }
    }

    @Test func nothingRecordedIsNothing() {
        var durations = RecentDurations(now: 0)
        #expect(durations.quantiles(now: 0) == Quantiles())
    }

    @Test func aWaitOfNothingIsNothing() {
        var durations = RecentDurations(now: 0)
        durations.record(.zero, now: 0)
        let quantiles = durations.quantiles(now: 0)
        #expect(quantiles == Quantiles(count: 1))
    }

    @Test(arguments: [Duration.seconds(1_000_000), .seconds(Int64.max), .seconds(-5)])
    func absurdDurationsAreCountedWithinBounds(_ duration: Duration) {
        var durations = RecentDurations(now: 0)
        durations.record(duration, now: 0)
        let quantiles = durations.quantiles(now: 0)
        #expect(quantiles.count == 1)
        #expect(quantiles.max <= 86_400 * 1.01)
    }

    /// When a value recorded at 0 is still counted.
    @Test(arguments: [(0.0, true), (9.9, true), (10.1, true), (19.9, true), (20.1, false), (500, false)])
    func valuesAreForgottenAfterTwoTurns(_ seconds: Double, _ remembered: Bool) {
        var durations = RecentDurations(now: 0)
        durations.record(.seconds(3), now: 0)
        // A look every second, as a stream takes it, and none at all come to the same.
        var watched = durations
        for second in stride(from: 0, to: seconds, by: 1) { _ = watched.quantiles(now: Int64(second * 1e9)) }
        #expect(durations.quantiles(now: Int64(seconds * 1e9)).count == (remembered ? 1 : 0))
        #expect(watched.quantiles(now: Int64(seconds * 1e9)).count == (remembered ? 1 : 0))
    }
}
