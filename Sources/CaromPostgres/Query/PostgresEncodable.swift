// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A value that goes to the server as a parameter.
public protocol PostgresEncodable {
    /// The value in the form it is sent in.
    var postgresParameter: PostgresParameter { get }
}

extension PostgresParameter: PostgresEncodable {
    /// Itself.
    public var postgresParameter: PostgresParameter { self }
}

extension Bool: PostgresEncodable {
    /// A `boolean`.
    public var postgresParameter: PostgresParameter { .bool(self) }
}

extension PostgresEncodable where Self: FixedWidthInteger {
    /// An integer, in digits.
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Int: PostgresEncodable {}
extension Int16: PostgresEncodable {}
extension Int32: PostgresEncodable {}
extension Int64: PostgresEncodable {}

extension Float: PostgresEncodable {
    /// A floating point number, in as many digits as it takes to read the same back.
    public var postgresParameter: PostgresParameter { .text(description) }
}

extension Double: PostgresEncodable {
    /// A floating point number, in as many digits as it takes to read the same back.
    public var postgresParameter: PostgresParameter { .double(self) }
}

extension String: PostgresEncodable {
    /// A text, or anything in the form of a quoted literal.
    public var postgresParameter: PostgresParameter { .text(self) }
}

extension Substring: PostgresEncodable {
    /// Likewise.
    public var postgresParameter: PostgresParameter { .text(String(self)) }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The value, or null.
    public var postgresParameter: PostgresParameter { self?.postgresParameter ?? .null }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// An array, or `bytea` if it is one of bytes.
    public var postgresParameter: PostgresParameter { Element.encodeArray(self) }
}

extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    /// The raw value: enums of strings and numbers need no code of their own.
    public var postgresParameter: PostgresParameter { rawValue.postgresParameter }
}
