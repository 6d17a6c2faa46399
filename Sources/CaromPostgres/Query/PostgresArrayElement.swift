// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What arrays may be made of. Bytes make a `bytea`.
public protocol PostgresArrayElement {
    /// The array as a parameter.
    static func encodeArray(_ array: [Self]) -> PostgresParameter
    /// The array in a cell; nil if that holds none of these.
    static func decodeArray(_ cell: PostgresCell) -> [Self]?
}

extension PostgresArrayElement where Self: PostgresEncodable {
    /// In PostgreSQL's own notation, every element quoted.
    public static func encodeArray(_ array: [Self]) -> PostgresParameter {
        let elements = array.map { element in
            guard let bytes = element.postgresParameter.encoded else { return "NULL" }
            var quoted = "\""
            for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
                if scalar == "\"" || scalar == "\\" { quoted += "\\" }
                quoted.unicodeScalars.append(scalar)
            }
            return quoted + "\""
        }
        return .text("{\(elements.joined(separator: ","))}")
    }
}

extension PostgresArrayElement where Self: PostgresDecodable {
    /// Of one dimension.
    public static func decodeArray(_ cell: PostgresCell) -> [Self]? {
        guard let cells = cell.elements else { return nil }
        var array: [Self] = []
        array.reserveCapacity(cells.count)
        for cell in cells {
            guard let element = Self.decode(cell) else { return nil }
            array.append(element)
        }
        return array
    }
}

extension Bool: PostgresArrayElement {}
extension Int: PostgresArrayElement {}
extension Int16: PostgresArrayElement {}
extension Int32: PostgresArrayElement {}
extension Int64: PostgresArrayElement {}
extension Float: PostgresArrayElement {}
extension Double: PostgresArrayElement {}
extension String: PostgresArrayElement {}
extension Optional: PostgresArrayElement where Wrapped: PostgresEncodable & PostgresDecodable {}

extension UInt8: PostgresArrayElement {
    /// A `bytea`.
    public static func encodeArray(_ array: [UInt8]) -> PostgresParameter { .bytes(array) }
    /// See ``PostgresCell/bytes``.
    public static func decodeArray(_ cell: PostgresCell) -> [UInt8]? { cell.bytes }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// An array of one dimension, or bytes.
    public static func decode(_ cell: PostgresCell) -> [Element]? {
        cell.isNull ? nil : Element.decodeArray(cell)
    }
}

extension PostgresCell {
    /// The elements of an array of one dimension, each as a cell; nil if it is none.
    var elements: [PostgresCell]? {
        guard let bytes = encoded else { return nil }
        let values: [[UInt8]?]?
        var type = column.type.element
        switch column.format {
        case .text: values = PostgresArrayText.elements(of: bytes)
        case .binary:
            guard type != nil, let binary = PostgresArrayText.binaryElements(of: bytes) else { return nil }
            type = binary.type
            values = binary.values
        }
        guard let values else { return nil }
        var all: [UInt8] = []
        var places: [Int] = []
        for value in values {
            places.append(all.count)
            let length = value.map { Int32($0.count) } ?? -1
            withUnsafeBytes(of: length.bigEndian) { all += $0 }
            all += value ?? []
        }
        let element = PostgresColumn(name: column.name, type: type ?? .text, format: column.format)
        let contents = ResultContents(columns: [element], rowCount: values.count, bytes: all, places: places)
        return values.indices.map { PostgresCell(contents: contents, row: $0, number: 0) }
    }
}

extension PostgresType {
    /// What an array of this type is made of; nil: it is no array that is known.
    var element: PostgresType? {
        switch rawValue {
        case 1000: .bool
        case 1001: .bytea
        case 1005: .int2
        case 1007: .int4
        case 1009: .text
        case 1014: .bpchar
        case 1015: .varchar
        case 1016: .int8
        case 1021: .float4
        case 1022: .float8
        case 1028: .oid
        case 1115: .timestamp
        case 1182: .date
        case 1185: .timestamptz
        case 1231: .numeric
        case 199: .json
        case 2951: .uuid
        case 3807: .jsonb
        default: nil
        }
    }
}

/// Reads arrays of one dimension.
enum PostgresArrayText {
    /// `{1,NULL,"a \"b\""}`
    static func elements(of bytes: [UInt8]) -> [[UInt8]?]? {
        guard bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}"), bytes.count >= 2 else {
            return nil
        }
        var values: [[UInt8]?] = []
        var position = 1
        let end = bytes.count - 1
        if position == end { return [] }
        while true {
            var value: [UInt8] = []
            let isQuoted = bytes[position] == UInt8(ascii: "\"")
            if isQuoted {
                position += 1
                while position < end, bytes[position] != UInt8(ascii: "\"") {
                    if bytes[position] == UInt8(ascii: "\\") { position += 1 }
                    guard position < end else { return nil }
                    value.append(bytes[position])
                    position += 1
                }
                guard position < end else { return nil }
                position += 1
            } else {
                while position < end, bytes[position] != UInt8(ascii: ",") {
                    // A dimension more.
                    if bytes[position] == UInt8(ascii: "{") { return nil }
                    value.append(bytes[position])
                    position += 1
                }
                if value.isEmpty { return nil }
            }
            values.append(!isQuoted && value == Array("NULL".utf8) ? nil : value)
            if position == end { return values }
            guard bytes[position] == UInt8(ascii: ","), position + 1 < end else { return nil }
            position += 1
        }
    }

    /// The type of the elements, and their binary forms.
    static func binaryElements(of bytes: [UInt8]) -> (type: PostgresType, values: [[UInt8]?])? {
        var position = 0
        func number() -> Int32? {
            guard bytes.count - position >= 4 else { return nil }
            defer { position += 4 }
            return Int32(
                bitPattern: bytes[position..<position + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
        guard let dimensions = number(), number() != nil, let type = number() else { return nil }
        let element = PostgresType(rawValue: UInt32(bitPattern: type))
        if dimensions == 0 { return (element, []) }
        guard dimensions == 1, let count = number(), number() != nil, count >= 0 else { return nil }
        var values: [[UInt8]?] = []
        for _ in 0..<count {
            guard let length = number() else { return nil }
            if length < 0 {
                values.append(nil)
                continue
            }
            guard bytes.count - position >= Int(length) else { return nil }
            values.append(Array(bytes[position..<position + Int(length)]))
            position += Int(length)
        }
        return position == bytes.count ? (element, values) : nil
    }
}
