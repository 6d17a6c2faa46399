// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The name of one client or server connection: a random UUID (version 4, RFC 9562) behind a letter for its side.
///
/// It is in every log line about the connection and in our errors to the client, so it is public. Nothing secret may
/// be made from it; cancel keys are drawn on their own.
package struct ConnectionID: Hashable, Sendable {
    package enum Side: Hashable, Sendable {
        case client
        case server
    }

    package let side: Side
    private let high: UInt64
    private let low: UInt64

    /// A new id from the system's random source.
    package init(_ side: Side) {
        var random = SystemRandomNumberGenerator()
        self.init(side, using: &random)
    }

    package init(_ side: Side, using random: inout some RandomNumberGenerator) {
        self.side = side
        // The version stands in the upper half of byte 6, the variant in the upper two bits of byte 8.
        high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x0000_0000_0000_4000
        low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// The length of the printed form in bytes.
    package static let printedLength = 37

    /// Appends the printed form, for lines that are put together from bytes.
    package func append(to bytes: inout [UInt8]) {
        bytes.append(side.letter)
        for position in 0..<32 {
            switch position {
            case 8, 12, 16, 20: bytes.append(UInt8(ascii: "-"))
            default: break
            }
            let half = position < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - position % 16 * 4)) & 0xF
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

extension ConnectionID.Side {
    var letter: UInt8 {
        switch self {
        case .client: UInt8(ascii: "c")
        case .server: UInt8(ascii: "s")
        }
    }
}

extension ConnectionID: LosslessStringConvertible {
    /// `c` or `s`, and the UUID in its 36 lower case characters.
    package var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.printedLength)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads the printed form, as an administrator copies it from a log; digits of either case.
    package init?(_ description: String) {
        let bytes = Array(description.utf8)
        guard bytes.count == Self.printedLength else { return nil }
        switch bytes[0] {
        case Side.client.letter: side = .client
        case Side.server.letter: side = .server
        default: return nil
        }
        var digits: [UInt64] = []
        for (index, byte) in bytes.enumerated().dropFirst() {
            switch index {
            case 9, 14, 19, 24: guard byte == UInt8(ascii: "-") else { return nil }
            default:
                guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
                digits.append(UInt64(digit))
            }
        }
        high = digits[..<16].reduce(0) { $0 << 4 | $1 }
        low = digits[16...].reduce(0) { $0 << 4 | $1 }
    }
}
