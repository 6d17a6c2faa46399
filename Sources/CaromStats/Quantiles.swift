// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How a set of durations is spread.
public struct Quantiles: Sendable, Hashable, Codable {
    /// How many were counted.
    public var count: UInt64
    /// Half were not longer.
    public var p50: Double
    /// Nine in ten were not longer.
    public var p90: Double
    /// Ninety-nine in a hundred were not longer.
    public var p99: Double
    /// The longest.
    public var max: Double

    /// Seconds, and how many values they stand for.
    public init(count: UInt64 = 0, p50: Double = 0, p90: Double = 0, p99: Double = 0, max: Double = 0) {
        self.count = count
        self.p50 = p50
        self.p90 = p90
        self.p99 = p99
        self.max = max
    }
}
