// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The character tables of SASLprep, read from their text on first use: most programs never see a password that needs them.
enum SASLTables {
    static let isUnassigned = ScalarSet(unassigned)
    static let isProhibited = ScalarSet(prohibited)
    static let isRightToLeft = ScalarSet(rightToLeft)
    static let isLeftToRight = ScalarSet(leftToRight)

    /// What a character is made of, one step of it.
    struct Decomposition {
        /// Whether the two that it is made of become it again.
        let isComposed: Bool
        let scalars: [UInt32]
    }

    static let decomposition: [UInt32: Decomposition] = {
        var reader = TableReader(decompositions)
        var table: [UInt32: Decomposition] = [:]
        var (scalar, target) = (0, 0)
        while let distance = reader.next(), let shape = reader.next() {
            scalar += distance
            var scalars: [UInt32] = []
            for _ in 0..<shape / 3 {
                guard let difference = reader.next() else { break }
                target += difference & 1 == 0 ? difference / 2 : -(difference + 1) / 2
                scalars.append(UInt32(target))
            }
            table[UInt32(scalar)] = Decomposition(isComposed: shape % 3 == 2, scalars: scalars)
        }
        return table
    }()

    /// The reverse: what two characters become.
    static let composition: [Pair: UInt32] = {
        var table: [Pair: UInt32] = [:]
        for (scalar, made) in decomposition where made.isComposed {
            table[Pair(first: made.scalars[0], second: made.scalars[1])] = scalar
        }
        return table
    }()

    /// A character and the one behind it.
    struct Pair: Hashable {
        let first: UInt32
        let second: UInt32
    }
}

/// A set of characters.
struct ScalarSet: Sendable {
    /// Where membership changes, ascending. The first is where the first members begin.
    private let borders: [UInt32]

    /// Reads a table of the distances between borders.
    init(_ text: StaticString) {
        var reader = TableReader(text)
        var borders: [UInt32] = []
        var last = 0
        while let distance = reader.next() {
            last += distance
            borders.append(UInt32(last))
        }
        self.borders = borders
    }

    /// Whether a character is a member.
    func callAsFunction(_ scalar: UInt32) -> Bool {
        // The number of borders at or below it: odd inside.
        var (low, high) = (0, borders.count)
        while low < high {
            let middle = (low + high) / 2
            if borders[middle] <= scalar { low = middle + 1 } else { high = middle }
        }
        return low % 2 == 1
    }
}

/// Reads numbers that are written five bits a character, lowest first; a sixth bit says that more follow.
private struct TableReader {
    private let text: StaticString
    private var index = 0

    init(_ text: StaticString) { self.text = text }

    mutating func next() -> Int? {
        guard index < text.utf8CodeUnitCount else { return nil }
        var (value, shift) = (0, 0)
        while index < text.utf8CodeUnitCount {
            let digit = Self.value(of: text.utf8Start[index])
            index += 1
            value |= (digit & 31) << shift
            shift += 5
            if digit < 32 { break }
        }
        return value
    }

    /// `0` to `9`, `a` to `z`, `A` to `Z`, `-`, `_`.
    private static func value(of digit: UInt8) -> Int {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit) - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(digit) - 0x61 + 10
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(digit) - 0x41 + 36
        case UInt8(ascii: "-"): 62
        default: 63
        }
    }
}
