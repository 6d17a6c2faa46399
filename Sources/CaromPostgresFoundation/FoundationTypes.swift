// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import CaromPostgres
public import FoundationEssentials

extension UUID: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `uuid`.
    public var postgresParameter: PostgresParameter { .text(uuidString) }

    /// See `PostgresUUID`.
    public static func decode(_ cell: PostgresCell) -> UUID? {
        PostgresUUID.decode(cell).flatMap { UUID(uuidString: $0.description) }
    }
}

extension Date: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `timestamp with time zone`, to the microsecond; what PostgreSQL's time does not reach is `infinity` or `-infinity`.
    public var postgresParameter: PostgresParameter {
        let microseconds = (timeIntervalSince1970 * 1_000_000).rounded()
        let timestamp = Int64(exactly: microseconds).flatMap { PostgresTimestamp(microsecondsSince1970: $0) }
        return (timestamp ?? (microseconds < 0 ? .negativeInfinity : .infinity)).postgresParameter
    }

    /// See `PostgresTimestamp`; nil for `infinity`.
    public static func decode(_ cell: PostgresCell) -> Date? {
        PostgresTimestamp.decode(cell)?.microsecondsSince1970.map {
            Date(timeIntervalSince1970: Double($0) / 1_000_000)
        }
    }
}

extension Decimal: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `numeric`.
    public var postgresParameter: PostgresParameter { .text(description) }

    /// See `PostgresNumeric`; nil for infinities and for what has more digits than a `Decimal` holds (38), never a number that was
    /// rounded.
    public static func decode(_ cell: PostgresCell) -> Decimal? {
        guard let text = PostgresNumeric.decode(cell)?.description else { return nil }
        if text == "NaN" { return .nan }
        guard let value = Decimal(string: text) else { return nil }
        return Self.digits(value.description) == Self.digits(text) ? value : nil
    }

    /// Without a sign of zero, and without zeros at the ends that change nothing.
    private static func digits(_ text: String) -> String {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let isNegative = parts[0].hasPrefix("-")
        let whole = parts[0].drop { $0 == "-" || $0 == "0" }
        let behind = parts.count > 1 ? String(parts[1].reversed().drop { $0 == "0" }.reversed()) : ""
        if whole.isEmpty, behind.isEmpty { return "0" }
        return "\(isNegative ? "-" : "")\(whole).\(behind)"
    }
}
