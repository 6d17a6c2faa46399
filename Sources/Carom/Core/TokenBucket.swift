// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Lets so many through a second, and so many at once.
struct TokenBucket: Sendable {
    private var tokens: Double
    private var filledAt: Int64 = .min
    private var perNanosecond: Double
    private var burst: Double

    init(perSecond: Double, burst: Int) {
        tokens = Double(burst)
        self.burst = Double(burst)
        perNanosecond = perSecond / 1e9
    }

    /// Takes a token; nil if there was one, else the instant when there will be.
    mutating func take(_ now: Int64) -> Int64? {
        if filledAt != .min { tokens = min(burst, tokens + Double(now.since(filledAt)) * perNanosecond) }
        filledAt = now
        if tokens >= 1 - 1e-9 {
            tokens = max(0, tokens - 1)
            return nil
        }
        return now.after(max(1, Int64(min((1 - tokens) / perNanosecond, 1e18).rounded(.up))))
    }

    mutating func change(perSecond: Double, burst: Int) {
        perNanosecond = perSecond / 1e9
        self.burst = Double(burst)
        tokens = min(tokens, self.burst)
    }
}
