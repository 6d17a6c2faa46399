// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Names one waiting claim of one pool. Never reused for another.
public struct WaiterID: Hashable, Sendable, CustomStringConvertible {
    let index: UInt32
    let generation: UInt32

    /// Made by the pool; by hand for tests of observers.
    public init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// Place and generation, as in `7.3`.
    public var description: String { "\(index).\(generation)" }
}
