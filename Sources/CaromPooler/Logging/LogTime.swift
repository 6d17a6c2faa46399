// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A moment of the wall clock, as log lines show it.
struct LogTime: Hashable, Sendable {
    /// Since 1970, without leap seconds.
    var seconds: Int64
    var nanoseconds: Int

    init(seconds: Int64, nanoseconds: Int = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The system's clock.
    static func now() -> LogTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTime(seconds: Int64(time.tv_sec), nanoseconds: time.tv_nsec)
    }

    /// Appends `2018-05-31T20:55:28Z`, or with milliseconds `2018-05-31T20:55:28.123Z`.
    func appendTimestamp(withMilliseconds: Bool, to bytes: inout [UInt8]) {
        let day = seconds.dividedFloor(by: 86400)
        let second = seconds - day * 86400
        let date = Self.date(ofDay: day)
        bytes.append(decimal: date.year, digits: 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: date.month, digits: 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: date.day, digits: 2)
        bytes.append(UInt8(ascii: "T"))
        bytes.append(decimal: second / 3600, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: second / 60 % 60, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(decimal: second % 60, digits: 2)
        if withMilliseconds {
            bytes.append(UInt8(ascii: "."))
            bytes.append(decimal: Int64(nanoseconds / 1_000_000), digits: 3)
        }
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The date of a day counted from 1970-01-01, in the Gregorian calendar. Years are counted from March, so that the
    /// leap day comes last, and in eras of 400 years, which all have 146097 days.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted.dividedFloor(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth)
    }
}

extension Int64 {
    fileprivate func dividedFloor(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}

extension [UInt8] {
    /// Appends a number that is not negative, with zeros in front up to a number of digits.
    mutating func append(decimal number: Int64, digits: Int = 1) {
        var divisor: Int64 = 1
        var count = 1
        while count < digits || number / divisor >= 10 {
            divisor *= 10
            count += 1
        }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    /// Appends a number in lower case hexadecimal digits.
    mutating func append(hexadecimal number: UInt64) {
        append(contentsOf: String(number, radix: 16).utf8)
    }
}
