// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A name for one connection that is unique in the world: a random UUID (RFC 9562, version 4) behind a letter that says which side
/// it is on. It is in every log line about the connection and in every error sent to a client, and has nothing to do with cancel keys.
package struct ConnectionID: Hashable, Sendable, CustomStringConvertible {
    /// Which side of the pooler a connection is on.
    package enum Side: UInt8, Sendable {
        /// From a client: `c`.
        case client = 0x63
        /// To a server: `s`.
        case server = 0x73
    }

    /// Which side the connection is on.
    package let side: Side
    private let high: UInt64
    private let low: UInt64

    /// A new id from the system's random source.
    package init(_ side: Side) {
        var generator = SystemRandomNumberGenerator()
        self.side = side
        high = generator.next() & ~0xF000 | 0x4000
        low = generator.next() & ~(3 << 62) | 1 << 63
    }

    /// The letter and the UUID, for example `c6f1c2a3e-….`
    package var description: String {
        let digits = Self.digits
        return String(unsafeUninitializedCapacity: 37) { buffer in
            buffer[0] = side.rawValue
            var place = 1
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = nibble < 16 ? high : low
                buffer[place] = digits[Int(word >> UInt64(60 - 4 * (nibble % 16)) & 15)]
                place += 1
            }
            return 37
        }
    }

    private static let digits = Array("0123456789abcdef".utf8)
}
