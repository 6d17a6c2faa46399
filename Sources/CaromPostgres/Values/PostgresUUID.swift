// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A universally unique identifier, as PostgreSQL's `uuid` has it.
public struct PostgresUUID: Hashable, Sendable {
    /// Its sixteen bytes.
    public let bytes: [UInt8]

    /// Of sixteen bytes; nil if there are more or less.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }
}

extension PostgresUUID: LosslessStringConvertible {
    /// `a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11`
    public var description: String { PostgresCell.printedUUID(bytes) }

    /// Reads the printed form, in either case.
    public init?(_ description: String) {
        let characters = Array(description)
        guard characters.count == 36 else { return nil }
        var bytes: [UInt8] = []
        var high: Int?
        for (place, character) in characters.enumerated() {
            if place == 8 || place == 13 || place == 18 || place == 23 {
                guard character == "-" else { return nil }
                continue
            }
            guard character.isASCII, let digit = character.hexDigitValue else { return nil }
            if let first = high {
                bytes.append(UInt8(first << 4 | digit))
                high = nil
            } else {
                high = digit
            }
        }
        self.init(bytes: bytes)
    }
}

extension PostgresUUID: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `uuid`.
    public var postgresParameter: PostgresParameter { .text(description) }

    /// Of the type `uuid`, or a text that is the printed form of one.
    public static func decode(_ cell: PostgresCell) -> PostgresUUID? {
        cell.string.flatMap { PostgresUUID($0) }
    }
}
