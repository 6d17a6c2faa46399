// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A point in time to the microsecond, as PostgreSQL's `timestamp` and `timestamp with time zone` have it.
///
/// The latter is read as the instant that it is, whatever time zone the session has; the former as if it were in UTC.
public struct PostgresTimestamp: Hashable, Sendable {
    /// Microseconds since 2000-01-01 00:00 UTC, as the server counts.
    public var microsecondsSince2000: Int64

    /// That many microseconds after 2000-01-01 00:00 UTC.
    public init(microsecondsSince2000: Int64) { self.microsecondsSince2000 = microsecondsSince2000 }

    /// That many microseconds after 1970-01-01 00:00 UTC, as most systems count; nil if it is too far away.
    public init?(microsecondsSince1970: Int64) {
        let (sum, overflow) = microsecondsSince1970.subtractingReportingOverflow(Self.from1970To2000)
        if overflow { return nil }
        self.init(microsecondsSince2000: sum)
    }

    /// PostgreSQL's `infinity`, later than all others.
    public static let infinity = PostgresTimestamp(microsecondsSince2000: .max)
    /// PostgreSQL's `-infinity`.
    public static let negativeInfinity = PostgresTimestamp(microsecondsSince2000: .min)

    /// Whether it is none of the infinities.
    public var isFinite: Bool { self != .infinity && self != .negativeInfinity }

    /// Microseconds since 1970-01-01 00:00 UTC; nil for the infinities and what is too far away.
    public var microsecondsSince1970: Int64? {
        guard isFinite else { return nil }
        let (sum, overflow) = microsecondsSince2000.addingReportingOverflow(Self.from1970To2000)
        return overflow ? nil : sum
    }

    private static var from1970To2000: Int64 { 946_684_800_000_000 }
    fileprivate static var day: Int { 86_400_000_000 }
}

extension PostgresTimestamp: LosslessStringConvertible, Comparable {
    /// `2024-02-29 12:00:00.5+00`: always in UTC.
    public var description: String {
        if self == .infinity { return "infinity" }
        if self == .negativeInfinity { return "-infinity" }
        let days = Int(microsecondsSince2000).floored(by: Self.day)
        let rest = Int(microsecondsSince2000) - days * Self.day
        var date = PostgresDate(daysSince2000: Int32(days)).description
        let isBeforeChrist = date.hasSuffix(" BC")
        if isBeforeChrist { date.removeLast(3) }
        let seconds = rest / 1_000_000
        let clock = [seconds / 3600, seconds / 60 % 60, seconds % 60].map(PostgresDate.twoDigits)
        var text = "\(date) \(clock.joined(separator: ":"))"
        if rest % 1_000_000 > 0 {
            let digits = String(rest % 1_000_000 + 1_000_000).dropFirst()
            text += ".\(String(digits.reversed().drop { $0 == "0" }.reversed()))"
        }
        return text + "+00" + (isBeforeChrist ? " BC" : "")
    }

    /// Reads what the server writes with `DateStyle` ISO, which is the default. Without an offset it is taken for UTC.
    public init?(_ description: String) {
        switch description {
        case "infinity": self = .infinity
        case "-infinity": self = .negativeInfinity
        default:
            var text = description[...]
            let isBeforeChrist = text.hasSuffix(" BC")
            if isBeforeChrist { text.removeLast(3) }
            let parts = text.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 2, let date = PostgresDate(parts[0] + (isBeforeChrist ? " BC" : "")) else {
                return nil
            }
            let sign = parts[1].lastIndex { $0 == "+" || $0 == "-" }
            guard let time = Self.microseconds(parts[1][..<(sign ?? parts[1].endIndex)]) else { return nil }
            var offset = 0
            if let sign {
                let places = parts[1][parts[1].index(after: sign)...]
                guard let found = Self.microseconds(places) else { return nil }
                offset = parts[1][sign] == "+" ? found : -found
            }
            let (start, isFar) = Int(date.daysSince2000).multipliedReportingOverflow(by: Self.day)
            let (sum, isTooFar) = start.addingReportingOverflow(time - offset)
            if isFar || isTooFar { return nil }
            self.init(microsecondsSince2000: Int64(sum))
        }
    }

    /// `12`, `12:30`, `12:30:15` or `12:30:15.123456`.
    private static func microseconds(_ text: Substring) -> Int? {
        let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let clock = halves[0].split(separator: ":", omittingEmptySubsequences: false)
        guard (1...3).contains(clock.count), clock.allSatisfy({ $0.count == 2 }) else { return nil }
        var seconds = 0
        for place in 0..<3 {
            guard let number = place < clock.count ? number(clock[place]) : 0, number < 61 else { return nil }
            seconds = seconds * 60 + number
        }
        guard halves.count == 2 else { return seconds * 1_000_000 }
        guard (1...6).contains(halves[1].count), let fraction = number(halves[1]) else { return nil }
        return seconds * 1_000_000 + (halves[1].count..<6).reduce(fraction) { (value, _) in value * 10 }
    }

    private static func number(_ digits: Substring) -> Int? {
        digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
    }

    /// By time.
    public static func < (a: PostgresTimestamp, b: PostgresTimestamp) -> Bool {
        a.microsecondsSince2000 < b.microsecondsSince2000
    }
}

extension PostgresTimestamp: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `timestamp with time zone`; as a `timestamp` it is the time in UTC.
    public var postgresParameter: PostgresParameter { .text(description) }

    /// Of a `timestamp`, with or without time zone, and of a `date`, whose midnight it is.
    public static func decode(_ cell: PostgresCell) -> PostgresTimestamp? {
        if cell.column.type == .date {
            return PostgresDate.decode(cell).flatMap { PostgresTimestamp("\($0.description.midnight)") }
        }
        switch cell.column.format {
        case .text: return cell.string.flatMap { PostgresTimestamp($0) }
        case .binary:
            guard cell.column.type == .timestamp || cell.column.type == .timestamptz else { return nil }
            return cell.bigEndian(as: Int64.self).map { PostgresTimestamp(microsecondsSince2000: $0) }
        }
    }
}

extension String {
    /// The first moment of a day that is printed like this.
    fileprivate var midnight: String { hasSuffix(" BC") ? dropLast(3) + " 00:00:00 BC" : self + " 00:00:00" }
}
