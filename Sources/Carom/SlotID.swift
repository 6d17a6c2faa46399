// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Names one connection of one pool, from its first connect attempt until it is closed. Never reused for another.
public struct SlotID: Hashable, Sendable, CustomStringConvertible {
    let index: UInt32
    let generation: UInt32

    /// Made by the pool; by hand for tests of connectors and observers.
    public init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// Place and generation, as in `7.3`.
    public var description: String { "\(index).\(generation)" }
}
