// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reading single values out of a DataRow, in both of PostgreSQL's formats.
///
/// Nil means that the bytes are no such value.
package enum PostgresValue {
    /// `t` or `f`; in binary one byte.
    package static func bool(_ bytes: RawSpan, format: ValueFormat = .text) -> Bool? {
        guard bytes.byteCount == 1 else { return nil }
        return switch (format, bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self)) {
        case (.text, UInt8(ascii: "t")), (.binary, 1): true
        case (.text, UInt8(ascii: "f")), (.binary, 0): false
        case (.text, _), (.binary, _): nil
        }
    }

    /// int2, int4 and int8; in binary the length tells which.
    package static func integer(_ bytes: RawSpan, format: ValueFormat = .text) -> Int64? {
        switch format {
        case .text:
            return ascii(bytes, longest: 20).flatMap { Int64($0) }
        case .binary:
            switch bytes.byteCount {
            case 2: return Int64(Int16(truncatingIfNeeded: bigEndian(bytes)))
            case 4: return Int64(Int32(truncatingIfNeeded: bigEndian(bytes)))
            case 8: return Int64(bitPattern: bigEndian(bytes))
            default: return nil
            }
        }
    }

    /// float4 and float8; in binary the length tells which.
    package static func double(_ bytes: RawSpan, format: ValueFormat = .text) -> Double? {
        switch format {
        case .text:
            guard let text = ascii(bytes, longest: 32) else { return nil }
            switch text {
            case "Infinity": return .infinity
            case "-Infinity": return -.infinity
            case "NaN": return .nan
            default: return Double(text)
            }
        case .binary:
            switch bytes.byteCount {
            case 4: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bigEndian(bytes))))
            case 8: return Double(bitPattern: bigEndian(bytes))
            default: return nil
            }
        }
    }

    /// Any text type, the same in both formats.
    package static func text(_ bytes: RawSpan) -> String? { bytes.text(0..<bytes.byteCount) }

    /// bytea; as text in the `hex` form (`\x…`), which is the default since PostgreSQL 9.0.
    package static func bytea(_ bytes: RawSpan, format: ValueFormat = .text) -> [UInt8]? {
        switch format {
        case .binary: return bytes.array()
        case .text:
            let text = bytes.array()
            guard text.starts(with: "\\x".utf8), text.count % 2 == 0 else { return nil }
            return hexadecimal(text.dropFirst(2))
        }
    }

    /// uuid as its sixteen bytes.
    package static func uuid(_ bytes: RawSpan, format: ValueFormat = .text) -> [UInt8]? {
        switch format {
        case .binary: return bytes.byteCount == 16 ? bytes.array() : nil
        case .text:
            let text = bytes.array()
            guard text.count == 36, [8, 13, 18, 23].allSatisfy({ text[$0] == UInt8(ascii: "-") }) else {
                return nil
            }
            let digits = text.filter { $0 != UInt8(ascii: "-") }
            return digits.count == 32 ? hexadecimal(digits[...]) : nil
        }
    }

    private static func bigEndian(_ bytes: RawSpan) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<bytes.byteCount {
            value = value << 8 | UInt64(bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
        return value
    }

    private static func ascii(_ bytes: RawSpan, longest: Int) -> String? {
        guard (1...longest).contains(bytes.byteCount) else { return nil }
        return text(bytes)
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x57
            case 0x41...0x46: value = digit - 0x37
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? bytes : nil
    }
}
