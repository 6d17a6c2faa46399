// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A set of message types as 128 bits: membership is one shift.
package struct TagSet: Equatable, Sendable {
    package var low: UInt64
    package var high: UInt64

    /// The empty set.
    package init() {
        low = 0
        high = 0
    }

    /// The set of these client messages.
    package init(_ tags: [FrontendTag]) {
        self.init()
        for tag in tags { insert(tag.rawValue) }
    }

    /// The set of these server messages.
    package init(_ tags: [BackendTag]) {
        self.init()
        for tag in tags { insert(tag.rawValue) }
    }

    /// Adds a type; bytes from 128 up are no message type and are left out.
    package mutating func insert(_ tag: UInt8) {
        if tag < 64 { low |= 1 << UInt64(tag) } else if tag < 128 { high |= 1 << UInt64(tag - 64) }
    }

    /// Both sets together.
    package func union(_ other: TagSet) -> TagSet {
        var result = self
        result.low |= other.low
        result.high |= other.high
        return result
    }

    /// Whether the type is in the set. A byte from 128 up never is.
    @inlinable
    package func contains(_ tag: UInt8) -> Bool {
        let word = tag & 64 == 0 ? low : high
        return tag & 128 == 0 && (word &>> UInt64(tag & 63)) & 1 == 1
    }
}
