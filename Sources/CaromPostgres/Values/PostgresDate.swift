// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A day in the Gregorian calendar, as PostgreSQL's `date` has it; without `infinity`.
public struct PostgresDate: Hashable, Sendable {
    /// Days since 2000-01-01, as the server counts.
    public var daysSince2000: Int32

    /// That many days after 2000-01-01.
    public init(daysSince2000: Int32) { self.daysSince2000 = daysSince2000 }

    /// A day by its numbers; nil if there is no such day. Year 0 is 1 BC.
    public init?(year: Int, month: Int, day: Int) {
        guard (-4713...5_874_897).contains(year), (1...12).contains(month), day >= 1,
            day <= Self.length(ofMonth: month, year)
        else { return nil }
        let months = (1..<month).reduce(0) { $0 + Self.length(ofMonth: $1, year) }
        daysSince2000 = Int32(Self.days(before: year) + months + day - 1)
    }

    /// The year; 0 is 1 BC.
    public var year: Int { parts.year }
    /// The month, from 1.
    public var month: Int { parts.month }
    /// The day of the month, from 1.
    public var day: Int { parts.day }

    private var parts: (year: Int, month: Int, day: Int) {
        let days = Int(daysSince2000)
        // Four hundred years have 146,097 days: this is the year, or one beside it.
        var year = 2000 + (days * 400).floored(by: 146_097)
        while Self.days(before: year) > days { year -= 1 }
        while Self.days(before: year + 1) <= days { year += 1 }
        var rest = days - Self.days(before: year)
        var month = 1
        while rest >= Self.length(ofMonth: month, year) {
            rest -= Self.length(ofMonth: month, year)
            month += 1
        }
        return (year, month, rest + 1)
    }

    /// Days from 2000-01-01 to the first day of a year.
    private static func days(before year: Int) -> Int {
        let last = year - 1
        let leapDays = last.floored(by: 4) - last.floored(by: 100) + last.floored(by: 400)
        // 484 leap days lie before the year 2000.
        return (year - 2000) * 365 + leapDays - 484
    }

    private static func length(ofMonth month: Int, _ year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension PostgresDate: LosslessStringConvertible, Comparable {
    /// `2024-02-29`, and `0044-03-15 BC` before the year 1.
    public var description: String {
        let (year, month, day) = parts
        let digits = String(year > 0 ? year : 1 - year)
        let padding = String(repeating: "0", count: max(0, 4 - digits.count))
        return "\(padding)\(digits)-\(Self.twoDigits(month))-\(Self.twoDigits(day))" + (year > 0 ? "" : " BC")
    }

    /// Reads what the server writes with `DateStyle` ISO, which is the default.
    public init?(_ description: String) {
        var text = description[...]
        let isBeforeChrist = text.hasSuffix(" BC")
        if isBeforeChrist { text.removeLast(3) }
        let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map {
            $0.allSatisfy { ("0"..."9").contains($0) } ? Int($0) : nil
        }
        guard numbers.count == 3, let year = numbers[0], let month = numbers[1], let day = numbers[2] else {
            return nil
        }
        self.init(year: isBeforeChrist ? 1 - year : year, month: month, day: day)
    }

    /// By time.
    public static func < (a: PostgresDate, b: PostgresDate) -> Bool { a.daysSince2000 < b.daysSince2000 }

    static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension PostgresDate: PostgresEncodable, PostgresDecodable, PostgresArrayElement {
    /// A `date`.
    public var postgresParameter: PostgresParameter { .text(description) }

    /// Of the type `date`; nil for `infinity`.
    public static func decode(_ cell: PostgresCell) -> PostgresDate? {
        switch cell.column.format {
        case .text: return cell.string.flatMap { PostgresDate($0) }
        case .binary:
            guard cell.column.type == .date, let days = cell.bigEndian(as: Int32.self), days != .max,
                days != .min
            else { return nil }
            return PostgresDate(daysSince2000: days)
        }
    }
}

extension Int {
    /// Divided and rounded down, also below zero.
    func floored(by divisor: Int) -> Int {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? quotient - 1 : quotient
    }
}

extension PostgresCell {
    /// The value's bytes as one number; nil if there are more or less of them.
    func bigEndian<Number: FixedWidthInteger>(as type: Number.Type) -> Number? {
        guard let bytes = encoded, bytes.count == Number.bitWidth / 8 else { return nil }
        return bytes.reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}
