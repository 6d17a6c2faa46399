// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A value for a `$1` of a statement.
///
/// Numbers, booleans and texts go as text without a type, so that the server takes them for what the statement needs,
/// as it does with a quoted literal; a cast such as `$1::bigint` decides where nothing else does.
public enum PostgresParameter: Hashable, Sendable {
    /// SQL null.
    case null
    /// A truth value.
    case bool(Bool)
    /// An integer.
    case int(Int)
    /// A floating point number, in as many digits as it takes to read the same back.
    case double(Double)
    /// A text, or anything in the form of a quoted literal.
    case text(String)
    /// A `bytea`.
    case bytes([UInt8])
    /// A value in its wire form, for every other type.
    case encoded([UInt8], type: PostgresType, format: PostgresFormat)

    /// The type to declare for it.
    var type: PostgresType {
        switch self {
        case .null, .bool, .int, .double, .text: .unspecified
        case .bytes: .bytea
        case .encoded(_, let type, _): type
        }
    }

    /// The form it goes in.
    var format: PostgresFormat {
        switch self {
        case .null, .bool, .int, .double, .text: .text
        case .bytes: .binary
        case .encoded(_, _, let format): format
        }
    }

    /// Its bytes on the wire; nil is SQL null.
    var encoded: [UInt8]? {
        switch self {
        case .null: nil
        case .bool(let value): [UInt8(ascii: value ? "t" : "f")]
        case .int(let value): Array(String(value).utf8)
        case .double(let value): Array(value.description.utf8)
        case .text(let value): Array(value.utf8)
        case .bytes(let value), .encoded(let value, _, _): value
        }
    }
}

extension PostgresParameter: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
    /// SQL null.
    public init(nilLiteral: ()) { self = .null }

    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// An integer.
    public init(integerLiteral value: Int) { self = .int(value) }

    /// A floating point number.
    public init(floatLiteral value: Double) { self = .double(value) }

    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
}
