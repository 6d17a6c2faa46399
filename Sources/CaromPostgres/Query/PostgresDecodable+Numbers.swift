// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PostgresDecodable where Self: FixedWidthInteger {
    /// See ``PostgresCell/int``; nil if the number does not fit.
    public static func decode(_ cell: PostgresCell) -> Self? { cell.int.flatMap { Self(exactly: $0) } }
}

extension Int16: PostgresDecodable {}
extension Int32: PostgresDecodable {}
extension Int64: PostgresDecodable {}

extension Float: PostgresDecodable {
    /// See ``PostgresCell/double``; rounded.
    public static func decode(_ cell: PostgresCell) -> Float? { cell.double.map { Float($0) } }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    /// By the raw value: enums of strings and numbers need no code of their own.
    public static func decode(_ cell: PostgresCell) -> Self? {
        RawValue.decode(cell).flatMap { Self(rawValue: $0) }
    }
}

extension PostgresRow {
    /// The row's values, in the order of its columns: `let (id, name) = try row.decode(Int.self, String?.self)`.
    ///
    /// - Throws: ``PostgresError`` with the code `decoding` when the row has another number of columns, or a value is none of
    ///   its type.
    public func decode<each Value: PostgresDecodable>(_ types: repeat (each Value).Type) throws(PostgresError)
        -> (repeat each Value)
    {
        var wanted = 0
        for _ in repeat each types { wanted += 1 }
        guard wanted == count else {
            throw PostgresError(.decoding, "the row has \(count) columns, not \(wanted)")
        }
        var column = 0
        func next<V: PostgresDecodable>(_ type: V.Type) throws(PostgresError) -> V {
            defer { column += 1 }
            return try self[column].decode(type)
        }
        return (repeat try next(each types))
    }
}

extension PostgresResult {
    /// All rows, as ``PostgresRow/decode(_:)`` reads them.
    public func decode<each Value: PostgresDecodable>(_ types: repeat (each Value).Type) throws(PostgresError)
        -> [(repeat each Value)]
    {
        var rows: [(repeat each Value)] = []
        rows.reserveCapacity(count)
        for row in self { rows.append(try row.decode(repeat each types)) }
        return rows
    }
}
