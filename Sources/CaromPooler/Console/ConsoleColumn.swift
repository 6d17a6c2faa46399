// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// One column of a command's table.
struct ConsoleColumn: Equatable, Sendable {
    /// What its values are. The numbers are PostgreSQL's for these types.
    enum Kind: UInt32, Sendable {
        case text = 25
        case integer = 23
        case bigInteger = 20
        case numeric = 1700
        /// No table has a value of it.
        case bytes = 17

        /// Bytes of a value; negative for any number.
        var size: Int16 {
            switch self {
            case .text, .numeric, .bytes: -1
            case .integer: 4
            case .bigInteger: 8
            }
        }
    }

    let name: String
    let kind: Kind

    init(_ name: String, _ kind: Kind = .text) {
        self.name = name
        self.kind = kind
    }

    func description(format: ValueFormat) -> RowDescription.Column {
        RowDescription.Column(name, type: kind.rawValue, typeSize: kind.size, format: format)
    }

    /// A value as the client wants it.
    ///
    /// - Parameter text: a whole number, if the column has numbers.
    func encoded(_ text: String, format: ValueFormat) -> [UInt8] {
        guard format == .binary, kind != .text, kind != .bytes else { return Array(text.utf8) }
        guard let number = Int64(text) else { preconditionFailure("\(text) is no number for column \(name)") }
        switch kind {
        case .text, .bytes: return Array(text.utf8)
        case .integer: return Self.bytes(UInt32(truncatingIfNeeded: number))
        case .bigInteger: return Self.bytes(UInt64(bitPattern: number))
        case .numeric: return Self.numeric(number)
        }
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// As `numeric_send` writes a whole number: count of digits to the base of 10,000, weight of the first, sign, scale, digits.
    private static func numeric(_ number: Int64) -> [UInt8] {
        var digits: [UInt16] = []
        var rest = number.magnitude
        while rest > 0 {
            digits.insert(UInt16(rest % 10_000), at: 0)
            rest /= 10_000
        }
        let weight = UInt16(max(0, digits.count - 1))
        while digits.last == 0 { digits.removeLast() }
        let head = [UInt16(digits.count), weight, number < 0 ? 0x4000 : 0, 0]
        return (head + digits).flatMap { bytes($0) }
    }
}

extension ConsoleColumn {
    /// The columns of a table: names of one kind, then of the next.
    static func table(_ groups: (kind: Kind, names: [String])...) -> [ConsoleColumn] {
        groups.flatMap { group in group.names.map { ConsoleColumn($0, group.kind) } }
    }
}
