// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A decimal number of any size, as PostgreSQL's `numeric` has it: exactly the digits that the server keeps.
///
/// It is for carrying, not for reckoning. Two are equal if their digits are: `1.0` is not `1.00`.
public struct PostgresNumeric: Hashable, Sendable {
    /// Digits with a point and a sign where there are such, or `NaN`, `Infinity`, `-Infinity`.
    public let description: String
}

extension PostgresNumeric: LosslessStringConvertible, ExpressibleByIntegerLiteral {
    /// A number as people write it, without an exponent: `-12.50`.
    public init?(_ description: String) {
        switch description {
        case "NaN", "Infinity", "-Infinity": break
        default:
            let digits = description.utf8.drop { $0 == UInt8(ascii: "-") }
            guard description.utf8.count - digits.count <= 1, let first = digits.first,
                let last = digits.last,
                digits.filter({ $0 == UInt8(ascii: ".") }).count <= 1,
                digits.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
                first != UInt8(ascii: "."), last != UInt8(ascii: ".")
            else { return nil }
        }
        self.description = description
    }

    /// A whole number.
    public init(_ value: some BinaryInteger) { description = String(value) }

    /// A whole number.
    public init(integerLiteral value: Int) { self.init(value) }
}

extension PostgresNumeric: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `numeric`.
    public var postgresParameter: PostgresParameter { .text(description) }

    /// Of the type `numeric`, and of integers.
    public static func decode(_ cell: PostgresCell) -> PostgresNumeric? {
        if cell.column.format == .binary, cell.column.type == .numeric {
            return cell.encoded.flatMap { PostgresNumeric(binary: $0) }
        }
        return cell.column.type.isFloat ? nil : cell.string.flatMap { PostgresNumeric($0) }
    }

    /// Groups of four digits behind their number, the weight of the first, a sign, and the digits behind the point (`numeric_send`).
    init?(binary bytes: [UInt8]) {
        guard bytes.count >= 8, bytes.count % 2 == 0 else { return nil }
        let words = stride(from: 0, to: bytes.count, by: 2).map {
            Int(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]))
        }
        let groups = Array(words[4...])
        let weight = Int(Int16(truncatingIfNeeded: words[1]))
        let scale = words[3]
        guard words[0] == groups.count, groups.allSatisfy({ $0 < 10_000 }), scale <= 0x3FFF else {
            return nil
        }
        switch words[2] {
        case 0xC000: description = "NaN"
        case 0xD000: description = "Infinity"
        case 0xF000: description = "-Infinity"
        case 0, 0x4000:
            func digits(_ group: Int) -> String {
                String((groups.indices.contains(group) ? groups[group] : 0) + 10_000).dropFirst().description
            }
            var whole = (0...max(weight, 0)).map { weight < 0 ? "0" : digits($0) }.joined()
            whole = String(whole.drop { $0 == "0" })
            // A weight below -1 means groups of zeros behind the point.
            let behind = (0..<(scale + 3) / 4).map { digits(weight + 1 + $0) }.joined()
            description =
                (words[2] == 0 ? "" : "-") + (whole.isEmpty ? "0" : whole)
                + (scale > 0 ? ".\(behind.prefix(scale))" : "")
        default: return nil
        }
    }
}
