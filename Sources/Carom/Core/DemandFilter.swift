// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Decides how far the plan may follow falling demand: not at all within two seconds of a peak, then along a low
/// pass filter with five samples a second and a time constant of five seconds.
struct DemandFilter: Sendable {
    static let interval: Int64 = 200_000_000
    static let hold: Int64 = 2_000_000_000
    /// e^(-0.2 s / 5 s)
    private static let decay = 0.960_789_439_152_323_2

    /// After so many samples the level is demand's, to less than any connection.
    private static let mostSamples: Int64 = 512
    /// So near to a whole number counts as it: the filter would take seconds over the last twentieth of a connection.
    private static let tail = 0.05

    private var level: Double = 0
    private var sampledAt: Int64 = 0
    /// When demand last was as high as the plan.
    var peakAt: Int64 = .min

    /// Demand has fallen below the plan: from here on samples are taken.
    mutating func begin(_ planned: Int, now: Int64) {
        level = Double(planned)
        sampledAt = now
    }

    /// Takes the samples due by now; returns how far the plan may go down.
    mutating func sample(demand: Int, now: Int64) -> Int {
        var due = min(Self.mostSamples, max(0, (now - sampledAt) / Self.interval))
        sampledAt = now
        while due > 0 {
            level = Double(demand) + (level - Double(demand)) * Self.decay
            due -= 1
        }
        if peakAt != .min, now - peakAt < Self.hold { return .max }
        return max(demand, Int((level - Self.tail).rounded(.up)))
    }
}
