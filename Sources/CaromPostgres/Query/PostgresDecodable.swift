// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A Swift type that a cell can be read as: `try row["id", as: Int.self]`.
public protocol PostgresDecodable {
    /// The cell's value, or nil if it is none of this type.
    static func decode(_ cell: PostgresCell) -> Self?
}

extension PostgresCell {
    /// The value as the wanted type; an optional type takes SQL null too.
    ///
    /// - Throws: ``PostgresError`` with the code `decoding`; the value itself is not in its message.
    public func decode<Value: PostgresDecodable>(_ type: Value.Type = Value.self) throws(PostgresError)
        -> Value
    {
        guard let value = Value.decode(self) else {
            let found = isNull ? "null" : "a value of \(column.type)"
            throw PostgresError(.decoding, "column '\(column.name)' is \(found), which is no \(Value.self)")
        }
        return value
    }
}

extension String: PostgresDecodable {
    /// See ``PostgresCell/string``.
    public static func decode(_ cell: PostgresCell) -> String? { cell.string }
}

extension Int: PostgresDecodable {
    /// See ``PostgresCell/int``.
    public static func decode(_ cell: PostgresCell) -> Int? { cell.int }
}

extension Double: PostgresDecodable {
    /// See ``PostgresCell/double``.
    public static func decode(_ cell: PostgresCell) -> Double? { cell.double }
}

extension Bool: PostgresDecodable {
    /// See ``PostgresCell/bool``.
    public static func decode(_ cell: PostgresCell) -> Bool? { cell.bool }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Null, or the value.
    public static func decode(_ cell: PostgresCell) -> Wrapped?? {
        cell.isNull ? .some(nil) : Wrapped.decode(cell).map { .some($0) }
    }
}
