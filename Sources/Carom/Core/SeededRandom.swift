// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: the same seed makes the same pool, the same walk, the same run.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator that begins with this seed.
    package init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0 ..< 1.
    package mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// A number below `bound`, which is above 0.
    package mutating func below(_ bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// `nominal` shortened by up to `spread` of itself.
    mutating func early(_ nominal: Int64, spread: Double) -> Int64 {
        spread == 0 ? nominal : nominal - Int64(Double(nominal) * spread * unit())
    }

    /// `nominal` changed by up to `spread` of itself to either side.
    mutating func around(_ nominal: Int64, spread: Double) -> Int64 {
        spread == 0 ? nominal : nominal + Int64(Double(nominal) * spread * (2 * unit() - 1))
    }
}
