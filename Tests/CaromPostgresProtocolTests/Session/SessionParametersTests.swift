// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private func table(
    _ values: [String: String], _ tracked: TrackedParameters = .standard
) -> SessionParameters {
    var table = SessionParameters(tracked)
    for (name, value) in values { table.set(name, to: value) }
    return table
}

@Suite struct SessionParametersTests {
    @Test func namesDoNotCareForCase() {
        var parameters = SessionParameters()
        let isKept = parameters.set("datestyle", to: "ISO, MDY")
        #expect(isKept)
        #expect(parameters["DateStyle"] == "ISO, MDY" && parameters["DATESTYLE"] == "ISO, MDY")
        #expect(parameters.known == [StartupParameter("DateStyle", "ISO, MDY")])
        parameters.remove("DATEstyle")
        #expect(parameters["DateStyle"] == nil && parameters.known.isEmpty)
    }

    @Test func whatIsNotTrackedOrNoValueIsNotKept() {
        var parameters = SessionParameters()
        let isUntrackedKept = parameters.set("work_mem", to: "64")
        let isBrokenKept = parameters.set("TimeZone", to: "UTC\0")
        #expect(!isUntrackedKept && !isBrokenKept)
        #expect(parameters.known.isEmpty)
    }

    @Test func equalTablesNeedNoStatement() {
        let server = table(["TimeZone": "UTC", "server_version": "15.1"])
        let client = table(["TimeZone": "UTC", "server_version": "16.2"])
        #expect(client.isSatisfied(by: server) && client.statements(synchronizing: server) == "")
        var bytes: [UInt8] = []
        #expect(client.appendQuery(synchronizing: server, into: &bytes) == 0 && bytes.isEmpty)
    }

    @Test func differencesBecomeOneQuery() throws {
        let server = table(["TimeZone": "UTC", "application_name": "a", "DateStyle": "ISO, MDY"])
        let client = table(["TimeZone": "Europe/Paris", "application_name": "b", "DateStyle": "ISO, MDY"])
        #expect(!client.isSatisfied(by: server))
        var bytes: [UInt8] = [1, 2, 3]
        #expect(client.appendQuery(synchronizing: server, into: &bytes) == 2)
        let sent = Array(bytes.dropFirst(3))
        #expect(sent[0] == FrontendTag.query.rawValue)
        #expect(
            text(try Query(body: body(sent).span.bytes).text)
                == "SET application_name='b';SET TimeZone='Europe/Paris'")
        #expect(client.synchronized(with: server) == client)
    }

    @Test func aWishNobodyHasGoesBackToTheDefault() {
        let tracked = TrackedParameters(extra: ["statement_timeout"])
        let server = table(["statement_timeout": "5s"], tracked)
        let client = table([:], tracked)
        #expect(client.statements(synchronizing: server) == "SET statement_timeout=DEFAULT")
        #expect(client.synchronized(with: server)["statement_timeout"] == nil)
    }

    @Test func theSessionUserIsSetFirst() {
        let server = table(["session_authorization": "other", "application_name": "x"])
        let client = table(["session_authorization": "ada", "application_name": "y"])
        #expect(
            client.statements(synchronizing: server)
                == "SET session_authorization='ada';SET application_name='y'")
    }

    @Test(arguments: [
        ("plain", "'plain'"), ("", "''"), ("it's", "'it''s'"),
        ("'; drop table t; --", "'''; drop table t; --'"),
        ("a\\", "E'a\\\\'"), ("\\'", "E'\\\\'''"), ("\u{e9}", "E'\\u00e9'"), ("\u{1f600}", "E'\\U0001f600'"),
        ("a\nb", "E'a\\u000ab'"), ("\u{7f}", "E'\\u007f'"), ("$$x$$", "'$$x$$'"),
    ])
    func aValueIsAlwaysOneLiteralOfASCII(_ value: String, _ literal: String) {
        let client = table(["application_name": value])
        let statement = client.statements(synchronizing: SessionParameters())
        #expect(statement == "SET application_name=\(literal)")
        #expect(statement.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test(arguments: [
        ("\"$user\", public", "'$user','public'"), ("public", "'public'"), ("A,  b ,\"C\"", "'a','b','C'"),
        ("\"with \"\"quotes\"\"\"", "'with \"quotes\"'"), ("\"a,b\"", "'a,b'"), ("", "''"), ("\"\"", "''"),
        // No list: one name, which is harmless.
        ("a b", "'a b'"), ("a,", "'a,'"), ("\"open", "'\"open'"), ("a; drop table t", "'a; drop table t'"),
        ("x'; drop table t; --", "'x''; drop table t; --'"),
    ])
    func aSearchPathIsQuotedMemberByMember(_ path: String, _ list: String) {
        #expect(
            table(["search_path": path]).statements(synchronizing: SessionParameters())
                == "SET search_path=\(list)")
    }

    @Test(arguments: [
        ("work_mem", true), ("my.setting", true), ("a.b.c", true), ("_x$1", true), ("", false), ("1a", false),
        ("a b", false), ("a;b", false), ("a'", false), ("a.", false), (".a", false), ("a..b", false),
        ("\u{e9}", false),
        (String(repeating: "a", count: 64), false),
    ])
    func onlySettingNamesAreNames(_ name: String, _ isName: Bool) {
        #expect(TrackedParameters.isName(name) == isName)
        #expect((TrackedParameters(extra: [name]).slot(of: name) != nil) == isName)
    }

    @Test func namesWithDotsAreQuoted() {
        let tracked = TrackedParameters(extra: ["my.user", "TIMEZONE"])
        #expect(tracked.entries.count == TrackedParameters.standard.entries.count + 1)
        #expect(
            table(["my.user": "x"], tracked).statements(synchronizing: SessionParameters(tracked))
                == "SET \"my\".\"user\"='x'")
    }
}

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
