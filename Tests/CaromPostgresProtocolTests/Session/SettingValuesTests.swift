// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private func values(_ values: [String: String]) -> SettingValues {
    SettingValues(values.map { StartupParameter($0.key, $0.value) })
}

/// What brings a session with the settings `applied` to those that are wanted.
private func statements(_ wanted: [String: String], from applied: [String: String] = [:]) -> String {
    var bytes: [UInt8] = []
    _ = values(wanted).appendStatements(from: values(applied), into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}

@Suite struct SettingValuesTests {
    @Test func namesDoNotCareForCase() {
        var settings = SettingValues()
        let isKept = settings.set("datestyle", to: "ISO, MDY")
        #expect(isKept)
        #expect(settings["DateStyle"] == "ISO, MDY" && settings["DATESTYLE"] == "ISO, MDY")
        settings.set("DateStyle", to: "German")
        #expect(settings.all == [StartupParameter("datestyle", "German")])
        settings.remove("DATEstyle")
        #expect(settings["DateStyle"] == nil && settings.isEmpty)
    }

    @Test func whatIsNoValueIsNotKept() {
        var settings = SettingValues()
        let isKept = settings.set("TimeZone", to: "UTC\0")
        #expect(!isKept && settings.isEmpty)
    }

    @Test func ofSeveralValuesTheLastCounts() {
        let settings = SettingValues([
            StartupParameter("a", "1"), StartupParameter("b", "2"), StartupParameter("A", "3"),
        ])
        #expect(settings["a"] == "3" && settings.all.count == 2)
    }

    @Test func equalSettingsNeedNoStatement() {
        #expect(statements(["TimeZone": "UTC"], from: ["timezone": "UTC"]) == "")
        #expect(statements(["role": "ada"], from: ["role": "ada"]) == "")
    }

    @Test func differencesAreSetAndWhatNobodyWantsIsReset() {
        #expect(
            statements(
                ["TimeZone": "Europe/Paris", "DateStyle": "German"],
                from: ["DateStyle": "German", "work_mem": "1"])
                == "RESET work_mem;SET TimeZone='Europe/Paris';")
    }

    @Test func whoTheSessionRunsAsGoesBackFirstAndIsSetLast() {
        #expect(
            statements(["role": "ada", "work_mem": "1"], from: ["role": "bob"])
                == "RESET ROLE;SET work_mem='1';SET role='ada';")
        #expect(statements([:], from: ["role": "bob", "work_mem": "1"]) == "RESET ROLE;RESET work_mem;")
        #expect(
            statements(["session_authorization": "app", "role": "ada"], from: ["role": "ada"])
                == "RESET ROLE;SET session_authorization='app';SET role='ada';")
        #expect(
            statements(["role": "ada"], from: ["session_authorization": "app", "role": "ada"])
                == "SET SESSION AUTHORIZATION DEFAULT;SET role='ada';")
        #expect(
            statements(["role": "ada", "work_mem": "2"], from: ["role": "ada", "work_mem": "1"])
                == "RESET ROLE;SET work_mem='2';SET role='ada';")
    }

    @Test func aTimeLimitForStatementsHoldsForNoneOfThese() {
        #expect(
            statements(["statement_timeout": "1", "work_mem": "1", "role": "ada"], from: [:])
                == "SET work_mem='1';SET role='ada';SET statement_timeout='1';")
        #expect(
            statements(["work_mem": "1"], from: ["STATEMENT_TIMEOUT": "1"])
                == "SET statement_timeout TO 0;SET work_mem='1';RESET statement_timeout;")
        #expect(
            statements(["statement_timeout": "1", "work_mem": "2"], from: ["statement_timeout": "1"])
                == "SET statement_timeout TO 0;SET work_mem='2';SET statement_timeout='1';")
        #expect(statements(["statement_timeout": "1"], from: ["statement_timeout": "1"]) == "")
    }

    @Test func aRoleThatIsToBeKeptIsLeftAloneIfItStaysTheSame() {
        func kept(_ wanted: [String: String], from applied: [String: String]) -> [String] {
            values(wanted).statements(from: values(applied), keepsIdentity: true)
                .map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(
            kept(["role": "ada", "work_mem": "2"], from: ["role": "ada", "a": "1"])
                == ["RESET a", "SET work_mem='2'"])
        #expect(
            kept(["role": "ada", "work_mem": "2"], from: ["role": "bob"])
                == ["RESET ROLE", "SET work_mem='2'", "SET role='ada'"])
        #expect(kept(["session_authorization": "ada"], from: ["session_authorization": "ada"]) == [])
    }

    @Test func fillingKeepsWhatIsThere() {
        var settings = values(["a": "1"])
        settings.fill(from: values(["A": "2", "b": "3"]))
        #expect(settings["a"] == "1" && settings["b"] == "3")
    }

    @Test func differencesAreThoseOfTheFirst() {
        #expect(
            values(["a": "1", "b": "2"]).differences(from: values(["a": "1", "b": "3", "c": "4"]))
                == [StartupParameter("b", "2")])
    }

    @Test(arguments: [
        ("plain", "'plain'"), ("", "''"), ("it's", "'it''s'"),
        ("'; drop table t; --", "'''; drop table t; --'"),
        ("a\\", "E'a\\\\'"), ("\\'", "E'\\\\'''"), ("\u{e9}", "E'\\u00e9'"), ("\u{1f600}", "E'\\U0001f600'"),
        ("a\nb", "E'a\\u000ab'"), ("\u{7f}", "E'\\u007f'"), ("$$x$$", "'$$x$$'"),
    ])
    func aValueIsAlwaysOneLiteralOfASCII(_ value: String, _ literal: String) {
        let statement = statements(["application_name": value])
        #expect(statement == "SET application_name=\(literal);")
        #expect(statement.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test(arguments: [
        ("a,b", "'a,b'"), ("\"$user\", public", "'\"$user\", public'"), ("it's", "'it''s'"),
        ("\u{e9}", "E'\\u00e9'"),
    ])
    func aSearchPathIsSetAsItIsSpelt(_ path: String, _ literal: String) {
        #expect(
            statements(["search_path": path])
                == "SELECT pg_catalog.set_config('search_path',\(literal),false);")
    }

    @Test(arguments: [
        ("work_mem", true), ("my.setting", true), ("a.b.c", true), ("_x$1", true), ("", false), ("1a", false),
        ("a b", false), ("a;b", false), ("a'", false), ("a.", false), (".a", false), ("a..b", false),
        ("\u{e9}", false),
        (String(repeating: "a", count: 64), false),
    ])
    func onlySettingNamesAreNames(_ name: String, _ isName: Bool) {
        #expect(SettingStatement.isName(name) == isName)
    }

    @Test func namesWithDotsAreQuoted() {
        #expect(statements(["my.user": "x"]) == "SET \"my\".\"user\"='x';")
        #expect(statements([:], from: ["my.user": "x"]) == "RESET \"my\".\"user\";")
    }
}
