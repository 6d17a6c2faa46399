// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@Suite struct PostgresValueTests {
    private func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    @Test func integersReadInBothFormats() {
        for (text, value) in [
            ("0", Int64(0)), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
        ] {
            #expect(PostgresValue.integer(utf8(text).span.bytes) == value)
            #expect(PostgresValue.integer(bigEndian(value).span.bytes, format: .binary) == value)
        }
        #expect(PostgresValue.integer(bigEndian(Int16(-2)).span.bytes, format: .binary) == -2)
        #expect(PostgresValue.integer(bigEndian(Int32(-3)).span.bytes, format: .binary) == -3)
        for text in ["", "x", "1.5", "9223372036854775808", " 1"] {
            #expect(PostgresValue.integer(utf8(text).span.bytes) == nil)
        }
        #expect(PostgresValue.integer(utf8("abc").span.bytes, format: .binary) == nil)
    }

    @Test func floatsReadInBothFormats() {
        #expect(PostgresValue.double(utf8("-1.5e10").span.bytes) == -1.5e10)
        #expect(PostgresValue.double(utf8("Infinity").span.bytes) == .infinity)
        #expect(PostgresValue.double(utf8("-Infinity").span.bytes) == -.infinity)
        #expect(PostgresValue.double(utf8("NaN").span.bytes)?.isNaN == true)
        #expect(PostgresValue.double(bigEndian((1.25).bitPattern).span.bytes, format: .binary) == 1.25)
        #expect(PostgresValue.double(bigEndian(Float(0.5).bitPattern).span.bytes, format: .binary) == 0.5)
        #expect(PostgresValue.double(utf8("x").span.bytes) == nil)
    }

    @Test func otherTypesReadInBothFormats() {
        #expect(PostgresValue.bool(utf8("t").span.bytes) == true)
        #expect(PostgresValue.bool(utf8("f").span.bytes) == false)
        #expect(PostgresValue.bool(utf8("true").span.bytes) == nil)
        #expect(PostgresValue.bool(bigEndian(UInt8(1)).span.bytes, format: .binary) == true)
        #expect(PostgresValue.bool(bigEndian(UInt8(2)).span.bytes, format: .binary) == nil)
        #expect(PostgresValue.text(utf8("h\u{e9}").span.bytes) == "h\u{e9}")
        #expect(PostgresValue.text([UInt8]([0xff]).span.bytes) == nil)
        #expect(PostgresValue.bytea(utf8("\\x00fF").span.bytes) == [0, 255])
        #expect(PostgresValue.bytea(utf8("\\x0").span.bytes) == nil)
        #expect(PostgresValue.bytea(utf8("\\xzz").span.bytes) == nil)
        #expect(PostgresValue.bytea(utf8("raw").span.bytes, format: .binary) == utf8("raw"))
        let uuid = PostgresValue.uuid(utf8("00010203-0405-0607-0809-0a0b0c0d0e0f").span.bytes)
        #expect(uuid == Array(0..<16))
        #expect(PostgresValue.uuid(utf8("00010203-0405-0607-0809-0a0b0c0d0e0-").span.bytes) == nil)
        #expect(PostgresValue.uuid([UInt8](0..<16).span.bytes, format: .binary) == uuid)
    }

    @Test(
        arguments: [
            ("true", true), ("T", true), ("yes", true), ("ye", true), ("on", true), ("1", true),
            ("false", false),
            ("off", false), ("of", false), ("no", false), ("0", false), ("o", nil), ("", nil), ("maybe", nil),
            ("10", nil),
            ("tru e", nil),
        ] as [(String, Bool?)])
    func booleansOfSettingsReadAsPostgreSQLReadsThem(_ text: String, _ value: Bool?) {
        #expect(ParameterValue.bool(text) == value)
    }
}
