// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a claimer asks of a connection: a requirement it must meet, and two hints.
public struct ClaimRequest: Sendable {
    /// Attributes that must match, such as `["role": "primary"]`: what the connector learnt when it connected
    /// (``Connector/attributes(of:)``), else what the resolver says of the backend.
    public var requirement: [String: String]
    /// The worker the claimer runs on: an idle connection that sits there is preferred.
    public var affinity: Int?
    /// The connection the claimer used last: taken if it is idle and meets the requirement.
    public var preferredSlot: SlotID?

    /// Any connection will do.
    public init() {
        requirement = [:]
        affinity = nil
        preferredSlot = nil
    }

    /// Any connection will do.
    public static var any: ClaimRequest { ClaimRequest() }
}

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
