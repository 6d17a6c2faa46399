// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// One value of a result, as it came over the wire, with readings of it.
///
/// Each reading is nil for SQL null and for what is no such value. Readings of values in binary form go by the type
/// of the column; those of values in text form take any text that looks right.
public struct PostgresCell: Sendable {
    let contents: ResultContents
    let row: Int
    let number: Int

    /// What is known of the cell's column.
    public var column: PostgresColumn { contents.columns[number] }

    /// Whether it is SQL null.
    public var isNull: Bool { range == nil }

    /// The value's bytes on the wire.
    public var encoded: [UInt8]? { range.map { Array(contents.bytes[$0]) } }

    private var range: Range<Int>? { contents.range(row: row, column: number) }

    private var format: ValueFormat { column.format == .binary ? .binary : .text }

    /// Shows the value's bytes to `body`, unless it is null.
    private func read<Value>(_ body: (RawSpan) -> Value?) -> Value? {
        guard let range else { return nil }
        let bytes = contents.bytes
        return body(bytes.span.bytes.extracting(range))
    }

    /// As text: every value in text form, and texts, numbers, booleans, UUIDs and JSON in binary form.
    public var string: String? {
        switch column.format {
        case .text: return read { PostgresValue.text($0) }
        case .binary: break
        }
        switch column.type {
        case let type where type.isText: return read { PostgresValue.text($0) }
        case let type where type.isInteger || type == .oid: return int.map { String($0) }
        case let type where type.isFloat: return double.map { $0.description }
        case .bool: return bool.map { $0 ? "t" : "f" }
        case .uuid: return read { PostgresValue.uuid($0, format: .binary) }.map(Self.printedUUID)
        case .jsonb:
            // The version of the form comes first; there is only version 1.
            guard encoded?.first == 1 else { return nil }
            return read { PostgresValue.text($0.extracting(droppingFirst: 1)) }
        default: return nil
        }
    }

    /// As an integer.
    public var int: Int? {
        switch (column.format, column.type) {
        case (.text, _): return read { PostgresValue.integer($0) }.flatMap { Int(exactly: $0) }
        case (.binary, .oid):
            guard let bytes = encoded, bytes.count == 4 else { return nil }
            return bytes.reduce(0) { $0 << 8 | Int($1) }
        case (.binary, let type):
            guard type.isInteger else { return nil }
            return read { PostgresValue.integer($0, format: .binary) }.flatMap { Int(exactly: $0) }
        }
    }

    /// As a floating point number; integers are converted, and a `numeric` in text form is rounded.
    public var double: Double? {
        switch (column.format, column.type) {
        case (.text, _): read { PostgresValue.double($0) ?? PostgresValue.text($0).flatMap { Double($0) } }
        case (.binary, let type) where type.isFloat: read { PostgresValue.double($0, format: .binary) }
        case (.binary, _): int.map { Double($0) }
        }
    }

    /// As a truth value: of the type `boolean` only.
    public var bool: Bool? {
        guard column.type == .bool else { return nil }
        return read { PostgresValue.bool($0, format: format) }
    }

    /// As bytes: of a `bytea` those it holds, of anything else those on the wire.
    public var bytes: [UInt8]? {
        guard column.type == .bytea else { return encoded }
        return read { PostgresValue.bytea($0, format: format) }
    }

    static func printedUUID(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for (index, byte) in bytes.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
