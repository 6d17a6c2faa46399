// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

private func custom(_ text: String) -> [String] { SettingNames.custom(in: utf8(text).span.bytes) }

private func reset(_ text: String) -> String? { SettingNames.reset(by: utf8(text).span.bytes) }

@Suite struct SettingNamesTests {
    // MARK: Custom names

    @Test(
        arguments: [
            ("SET my.setting = 1", ["my.setting"]), ("set My.Setting to 'x'", ["My.Setting"]),
            ("SET a.b.c=1", ["a.b.c"]), ("SET \"my\".\"setting\" = 1", ["my.setting"]),
            ("SET my.\"user\"=1", ["my.user"]), ("SET \"my.setting\" = 1", ["my.setting"]),
            ("SELECT set_config('my.setting', 'x', false)", ["my.setting"]),
            ("select set_config('a.b','c.d',false)", ["a.b", "c.d"]),
            ("SET a.b = 1; SET c.d = 2;SET a.b = 3", ["a.b", "c.d"]),
            ("RESET a.b", ["a.b"]), ("a.b", ["a.b"]), ("\"a\".\"b\"", ["a.b"]), ("a.b;", ["a.b"]),
            ("SET _a.b$1 = 1", ["_a.b$1"]), ("x\0a.b\0", ["a.b"]),
        ] as [(String, [String])])
    func aNameWithADotMayBeASetting(_ text: String, _ names: [String]) {
        #expect(custom(text) == names)
    }

    @Test(arguments: [
        "", ".", "\"", "SET x = 1", "SELECT 1.5, .5, 5.", "SET x = 'a.'", "a. b", "a .b", "a..b", ".a.b..c",
        "1.a", "$1.a", "\u{e9}.\u{e9}", "a.1",
        "a." + String(repeating: "b", count: 62),
    ])
    func whatCannotBeASettingIsNoName(_ text: String) {
        #expect(custom(text) == [])
    }

    @Test func noMoreThanTheLimitIsFound() {
        let text = (0..<50).map { "SET a.b\($0) = 1" }.joined(separator: ";")
        #expect(custom(text).count == 32)
        #expect(custom(text).count == SettingNames.most)
    }

    /// Names among words, marks and bytes of any kind: all of them are found, in their order, and nothing else is.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func everyNameIsFoundWhereverItStands(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let others = [
            "SET", "=", "'", "1", "(", ")", ",", ";", "x", "\u{e9}", "--", "/*", "*/", "\n", "5.5", "''",
        ]
        var names: [String] = []
        var text = ""
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            if Bool.random(using: &random), names.count < 32 {
                let parts = (0..<Int.random(in: 2...3, using: &random)).map { _ in
                    String("abAB_z".randomElement(using: &random)!) + ["", "1", "q$", "_"].randomElement(
                        using: &random)!
                }
                let isQuoted = Bool.random(using: &random)
                text += parts.map { isQuoted ? "\"\($0)\"" : $0 }.joined(separator: ".")
                let name = parts.joined(separator: ".")
                if !names.contains(name) { names.append(name) }
            } else {
                text += others.randomElement(using: &random)!
            }
            text += [" ", "\n", "'", "(", ";"].randomElement(using: &random)!
        }
        #expect(custom(text) == names, "\(text)")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func noBytesTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let alphabet = utf8("reset SETtodefault.\"=;ab1$ \n\t\r") + [0, 0x80, 0xc3, 0xa9, 0xff]
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                alphabet.randomElement(using: &random)!
            }
            for name in SettingNames.custom(in: bytes.span.bytes) { #expect(SettingStatement.isName(name)) }
            if let name = SettingNames.reset(by: bytes.span.bytes) { #expect(SettingStatement.isName(name)) }
        }
    }

    // MARK: The lone reset

    @Test(arguments: [
        ("RESET x", "x"), ("reset x;", "x"), (" RESET\n\tx ; ;", "x"), (";RESET x", "x"),
        ("RESET TimeZone", "TimeZone"),
        ("RESET \"x\"", "x"), ("RESET a.b", "a.b"), ("RESET \"a\".\"b\"", "a.b"), ("RESET role", "role"),
        ("SET x TO DEFAULT", "x"), ("set x = default;", "x"), ("SET SESSION x TO DEFAULT", "x"),
        ("SET a.b TO DEFAULT", "a.b"), ("set\nSession\nrole\nto\nDefault", "role"),
    ])
    func theSettingThatALoneStatementTakesBack(_ text: String, _ name: String) {
        #expect(reset(text) == name)
    }

    @Test(arguments: [
        "", ";", "RESET", "SET", "SET x", "SET DEFAULT", "SET TO DEFAULT", "RESET ALL", "reset \"all\"",
        "SET all TO DEFAULT",
        // Another setting goes with it, or it is another one's old name.
        "RESET SESSION AUTHORIZATION", "RESET session_authorization", "SET session_authorization TO DEFAULT",
        "SET SESSION AUTHORIZATION DEFAULT", "RESET sort_mem", "SET VACUUM_MEM = DEFAULT",
        // What has more than one word for a name.
        "RESET TIME ZONE", "SET TIME ZONE DEFAULT", "SET TIME ZONE LOCAL", "SET NAMES DEFAULT",
        "SET ROLE NONE",
        "RESET TRANSACTION ISOLATION LEVEL",
        "SET LOCAL x TO DEFAULT", "SET x = 1", "SET x TO 'default'", "SET x=DEFAULT", "SELECT 1", "RESET x y",
        // More than one.
        "RESET x; RESET y", "RESET x; SELECT 1", "SELECT 1; RESET x", "RESET x;SET y TO DEFAULT", "RESET;x",
        // What only a tokenizer can read.
        "RESET x -- y", "RESET /* x */ y", "RESET x--", "RESET U&\"x\"", "RESET 'x'", "RESET \u{e9}",
        "RESET x\0",
    ])
    func anythingElseTakesBackNoneOrNotOnlyOne(_ text: String) {
        #expect(reset(text) == nil)
    }

    @Test func aLongTextIsNotRead() {
        #expect(reset("RESET x" + String(repeating: " ", count: 150)) == "x")
        #expect(reset("RESET x" + String(repeating: " ", count: 200)) == nil)
        #expect(SettingNames.reset(by: (utf8("RESET x") + [0xff]).span.bytes) == nil)
    }
}
