// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Histogram

/// The durations of the last few seconds: two histograms that take turns.
///
/// One is written while the other keeps the turn before, so quantiles cover between one and two turns. Values are
/// kept to two significant digits, from a microsecond to a day; what is longer counts as a day.
struct RecentDurations {
    /// Ten seconds: long enough for quantiles of a quiet pool, short enough to show a change.
    static let turn: Int64 = 10_000_000_000
    /// About a microsecond, as a power of two, which is what the histogram counts in; nothing below it is told apart.
    private static let resolution: UInt64 = 1024
    /// A day.
    private static let longest: UInt64 = 86_400_000_000_000

    private var current = RecentDurations.empty
    private var previous = RecentDurations.empty
    private var turnEnd: Int64

    init(now: Int64) {
        turnEnd = now + Self.turn
    }

    private static var empty: Histogram<UInt32> {
        var histogram = Histogram<UInt32>(
            lowestDiscernibleValue: resolution, highestTrackableValue: 1 << 20,
            numberOfSignificantValueDigits: .two)
        histogram.autoResize = true
        return histogram
    }

    /// Counts one value.
    mutating func record(_ duration: Duration, now: Int64) {
        turnOver(now)
        current.record(min(UInt64(clamping: duration.inNanoseconds), Self.longest))
    }

    /// The spread of what was counted in this turn and the one before.
    mutating func quantiles(now: Int64) -> Quantiles {
        turnOver(now)
        var all = current
        all.add(previous)
        guard all.totalCount > 0 else { return Quantiles() }
        let most = all.maxRecorded
        func seconds(_ percentile: Double) -> Double {
            // Everything below the resolution is one value, which is called by its upper end: it means nothing.
            let value = min(all.valueAtPercentile(percentile), most)
            return value < Self.resolution ? 0 : Double(value) / 1e9
        }
        return Quantiles(
            count: all.totalCount, p50: seconds(50), p90: seconds(90), p99: seconds(99),
            max: Double(most) / 1e9)
    }

    private mutating func turnOver(_ now: Int64) {
        guard now >= turnEnd else { return }
        swap(&current, &previous)
        current.reset()
        // Longer ago than a whole turn: the one before is out of date as well.
        if now - turnEnd >= Self.turn { previous.reset() }
        turnEnd = now + Self.turn
    }
}
