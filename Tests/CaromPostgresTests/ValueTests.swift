// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresFoundation
import Foundation
import Testing

@testable import CaromPostgres

@Suite struct ValueTests {
    @Test func daysAndNumbersOfThemAreTheSame() {
        for day in stride(from: Int32(-2_451_000), through: 2_100_000, by: 997) {
            let date = PostgresDate(daysSince2000: day)
            #expect(PostgresDate(year: date.year, month: date.month, day: date.day) == date)
            #expect(PostgresDate(date.description) == date)
        }
        #expect(PostgresDate(daysSince2000: 0).description == "2000-01-01")
        #expect(PostgresDate(year: 2000, month: 3, day: 1)?.daysSince2000 == 60)
        #expect(PostgresDate(year: 1, month: 1, day: 1)?.daysSince2000 == -730_119)
        #expect(PostgresDate("0044-03-15 BC")?.year == -43)
        let wrong = [
            "", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-32", "1900-02-29", "2024-1", "-1-1-1",
            "a-1-1",
        ]
        #expect(wrong.allSatisfy { PostgresDate($0) == nil })
    }

    @Test func timesAreReadInAnyZone() {
        let noon = PostgresTimestamp("2024-02-29 12:00:00.5+00")
        #expect(noon?.microsecondsSince1970 == 1_709_208_000_500_000)
        for same in [
            "2024-02-29 14:00:00.500000+02", "2024-02-29 06:30:00.5-05:30", "2024-02-29 12:00:00.5",
            "2024-02-29 12:01:15.5+00:01:15",
        ] { #expect(PostgresTimestamp(same) == noon) }
        #expect(noon?.description == "2024-02-29 12:00:00.5+00")
        #expect(
            PostgresTimestamp("infinity") == .infinity
                && PostgresTimestamp.infinity.microsecondsSince1970 == nil)
        let wrong = [
            "2024-02-29", "2024-02-29 1", "2024-02-29 12:00:00.", "2024-02-29 12:00:00.1234567", "x 12:00:00",
        ]
        #expect(wrong.allSatisfy { PostgresTimestamp($0) == nil })
    }

    @Test func numbersAndIdentifiersThatAreNoneAreNil() {
        #expect(
            ["", "-", "1.", ".1", "1e5", "1.2.3", "--1", "1,5"].allSatisfy { PostgresNumeric($0) == nil })
        #expect(PostgresNumeric("-0012.50")?.description == "-0012.50")
        let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
        #expect(PostgresUUID(uuid.uppercased())?.description == uuid)
        #expect(
            [uuid + "0", String(uuid.dropLast()), uuid.replacing("-", with: "0")].allSatisfy {
                PostgresUUID($0) == nil
            })
    }

    @Test func numericsThatAreCutOffAreNone() {
        let whole: [UInt8] = [0, 2, 0, 0, 0x40, 0, 0, 2, 0, 12, 0x13, 0x88]
        #expect(PostgresNumeric(binary: whole)?.description == "-12.50")
        for count in whole.indices { #expect(PostgresNumeric(binary: Array(whole[..<count])) == nil) }
    }
}

extension ServerTests {
    @Suite struct ValueServerTests {
        private struct Event: Codable, Equatable {
            var name: String
            var tags: [String]
        }

        @Test(arguments: [PostgresFormat.text, .binary]) func valuesOfOurOwnComeBack(format: PostgresFormat)
            async throws
        {
            try await withSession { (connection, _) async throws in
                let options = QueryOptions(format: format)
                let (uuid, day) = (
                    PostgresUUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")!, PostgresDate("0044-03-15 BC")!
                )
                for text in [
                    "2024-02-29 12:00:00.000001+00", "1969-12-31 23:59:59.5+00", "infinity", "-infinity",
                    "0044-03-15 01:02:03+00 BC",
                ] {
                    let time = PostgresTimestamp(text)!
                    let row = try await connection.query(
                        "select \(time)::timestamptz, \(time)::timestamp, \([time])::timestamptz[]",
                        options: options)[0]
                    let (zoned, plain, list) = try row.decode(
                        PostgresTimestamp.self, PostgresTimestamp.self, [PostgresTimestamp].self)
                    #expect(zoned == time && plain == time && list == [time])
                }
                for text in [
                    "0", "-1", "12.50", "0.0001", "0.000012345", "10000",
                    "123456789012345678901234567890.123450", "-9999.9999", "NaN", "Infinity",
                ] {
                    let row = try await connection.query(
                        "select \(PostgresNumeric(text)!)::numeric", options: options)[0]
                    #expect(try row.decode(PostgresNumeric.self).description == text)
                }
                let row = try await connection.query(
                    "select \(uuid)::uuid, \(day)::date, \([uuid])::uuid[], \(day)::date",
                    options: options)[0]
                let (first, second, third, midnight) = try row.decode(
                    PostgresUUID.self, PostgresDate.self, [PostgresUUID].self,
                    PostgresTimestamp.self)
                #expect(
                    first == uuid && second == day && third == [uuid]
                        && midnight < .init(microsecondsSince2000: 0))
            }
        }

        @Test func valuesOfFoundationComeBack() async throws {
            try await withSession { (connection, _) async throws in
                let (id, now) = (UUID(), Date(timeIntervalSince1970: 1_709_208_000.25))
                let (price, event) = (
                    Decimal(string: "-12345678901234567890.5")!, Event(name: "a\"b", tags: ["x", "'"])
                )
                let row = try await connection.query(
                    "select \(id)::uuid, \(now)::timestamptz, \(price)::numeric, \(try PostgresJSON(event))::jsonb, \(nil as UUID?)::uuid"
                )[0]
                let (a, b, c, d, e) = try row.decode(
                    UUID.self, Date.self, Decimal.self, PostgresJSON<Event>.self, UUID?.self)
                #expect(a == id && b == now && c == price && d.value == event && e == nil)
                let far = try await connection.query(
                    "select \(Date.distantPast)::timestamptz < now(), \(Date(timeIntervalSince1970: 1e30))::timestamptz = 'infinity'"
                )
                let (isBefore, isInfinite) = try far[0].decode(Bool.self, Bool.self)
                #expect(isBefore && isInfinite)
                let long = try await connection.query(
                    "select repeat('1', 60)::numeric, 'infinity'::timestamptz, 1.50::numeric")[0]
                #expect(throws: PostgresError.self) { try long[0, as: Decimal.self] }
                #expect(throws: PostgresError.self) { try long[1, as: Date.self] }
                #expect(try long[2, as: Decimal.self] == Decimal(string: "1.5"))
            }
        }

        @Test func jsonThatDoesNotFitSaysWhichKey() async throws {
            try await withSession { (connection, _) async throws in
                let row = try await connection.query(
                    "select '{\"name\": \"a\", \"tags\": [1]}'::json, null::json, '{}'::jsonb")[0]
                let kinds = await failure { _ = try row[0].json(Event.self) }
                #expect(kinds.code == .decoding && kinds.message.contains("tags"))
                #expect(await failure { _ = try row[1].json(Event.self) }.message.contains("null"))
                #expect(await failure { _ = try row[2].json(Event.self) }.message.contains("'name'"))
                #expect(throws: PostgresError.self) { try row[0, as: PostgresJSON<Event>.self] }
            }
        }
    }
}
