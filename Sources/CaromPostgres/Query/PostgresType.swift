// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A type of values, by the number it has in the catalogue `pg_type`.
///
/// The numbers of built-in types are the same on every server; those of extensions and own types are not.
public struct PostgresType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The object identifier.
    public let rawValue: UInt32

    /// The type with this object identifier.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Leaves the type of a parameter to the server.
    public static let unspecified = PostgresType(rawValue: 0)
    /// `boolean`
    public static let bool = PostgresType(rawValue: 16)
    /// `bytea`
    public static let bytea = PostgresType(rawValue: 17)
    /// `"char"`, one byte
    public static let char = PostgresType(rawValue: 18)
    /// `name`
    public static let name = PostgresType(rawValue: 19)
    /// `bigint`
    public static let int8 = PostgresType(rawValue: 20)
    /// `smallint`
    public static let int2 = PostgresType(rawValue: 21)
    /// `integer`
    public static let int4 = PostgresType(rawValue: 23)
    /// `text`
    public static let text = PostgresType(rawValue: 25)
    /// `oid`
    public static let oid = PostgresType(rawValue: 26)
    /// `json`
    public static let json = PostgresType(rawValue: 114)
    /// `xml`
    public static let xml = PostgresType(rawValue: 142)
    /// `real`
    public static let float4 = PostgresType(rawValue: 700)
    /// `double precision`
    public static let float8 = PostgresType(rawValue: 701)
    /// A literal whose type nothing decides.
    public static let unknown = PostgresType(rawValue: 705)
    /// `character(n)`
    public static let bpchar = PostgresType(rawValue: 1042)
    /// `character varying`
    public static let varchar = PostgresType(rawValue: 1043)
    /// `date`
    public static let date = PostgresType(rawValue: 1082)
    /// `timestamp`
    public static let timestamp = PostgresType(rawValue: 1114)
    /// `timestamp with time zone`
    public static let timestamptz = PostgresType(rawValue: 1184)
    /// `numeric`
    public static let numeric = PostgresType(rawValue: 1700)
    /// `uuid`
    public static let uuid = PostgresType(rawValue: 2950)
    /// `jsonb`
    public static let jsonb = PostgresType(rawValue: 3802)

    /// Whether the binary form is the text itself.
    var isText: Bool {
        switch self {
        case .text, .varchar, .bpchar, .name, .char, .json, .xml, .unknown: true
        default: false
        }
    }

    /// Whether the binary form is a signed number of two, four or eight bytes.
    var isInteger: Bool { self == .int2 || self == .int4 || self == .int8 }

    /// Whether the binary form is an IEEE 754 number of four or eight bytes.
    var isFloat: Bool { self == .float4 || self == .float8 }

    /// `type 23`
    public var description: String { "type \(rawValue)" }
}

/// The form in which a value goes over the wire (PostgreSQL protocol, "Formats and Format Codes").
public enum PostgresFormat: Hashable, Sendable {
    /// As people write it; every type has this.
    case text
    /// As the type's own send function writes it.
    case binary
}

/// What is known of a column of a result.
public struct PostgresColumn: Hashable, Sendable {
    /// Its name; several columns may have the same.
    public let name: String
    /// The type of its values.
    public let type: PostgresType
    /// The form its values came in.
    public let format: PostgresFormat
}
