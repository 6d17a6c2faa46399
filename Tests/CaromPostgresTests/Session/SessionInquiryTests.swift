// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

/// A DataRow; nil is SQL null.
private func row(_ values: String?...) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendMessage(BackendTag.dataRow.rawValue) { bytes in
        bytes.append16(UInt16(values.count))
        for value in values { bytes.appendValue(value.map { Array($0.utf8) }) }
    }
    return bytes
}

private func hexadecimal(_ text: String) -> String {
    text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func setting(_ name: String, _ value: String, kind: String = "s") -> [UInt8] {
    row(kind, name, hexadecimal(value))
}

private func answer(_ rows: [UInt8]..., user: String? = "app") -> SessionInquiry.Answer? {
    SessionInquiry.answer(rows.flatMap { $0 }, user: user)
}

@Suite struct SessionInquiryTests {
    @Test func noRowsAreAFreshSession() {
        #expect(answer() == SessionInquiry.Answer())
        #expect(
            answer(setting("role", "none"), setting("session_authorization", "app"))
                == SessionInquiry.Answer())
    }

    @Test func settingsAreReadWhateverTheirText() {
        let values = ["", "4MB", "it's \"x\"\\", "\u{e9}\u{1f600}", "a\nb\t\u{1}"]
        for value in values { #expect(answer(setting("work_mem", value))?.settings["work_mem"] == value) }
        let both = answer(setting("a", "1"), setting("b", "2"))
        #expect(both?.settings.all == [StartupParameter("a", "1"), StartupParameter("b", "2")])
    }

    @Test func whatIsTheTransactionsIsNoSetting() {
        let found = answer(
            setting("transaction_isolation", "serializable"), setting("transaction_read_only", "on"),
            setting("transaction_timeout", "5s"), setting("default_transaction_isolation", "serializable"))
        #expect(found?.settings.all.map(\.name) == ["default_transaction_isolation", "transaction_timeout"])
    }

    @Test func anotherRoleOrUserIsASetting() {
        let found = answer(setting("role", "ada"), setting("session_authorization", "bob"))
        #expect(found?.settings["role"] == "ada" && found?.settings["session_authorization"] == "bob")
        // Who logged in is not known: the user is set, to be sure.
        #expect(
            answer(setting("session_authorization", "app"), user: nil)?.settings["session_authorization"]
                == "app")
    }

    @Test func ofACustomSettingAnEmptyValueIsNone() {
        #expect(answer(setting("my.x", "1", kind: "c"))?.settings["my.x"] == "1")
        #expect(answer(setting("my.x", "", kind: "c"))?.settings.isEmpty == true)
        #expect(answer(row("c", "my.x", nil))?.settings.isEmpty == true)
    }

    @Test func whatElseLivesInTheSessionIsNamed() {
        for kind in KeptState.all {
            let found = answer(row("k", kind.name, ""))
            #expect(found?.kept == kind.state)
            #expect(found?.kept.description == kind.name)
        }
        let found = answer(row("k", "cursors", ""), row("k", "locks", ""))
        #expect(found?.kept == [.cursors, .locks])
        #expect(found?.kept.description == "cursors, locks")
        #expect(KeptState([]).description == "")
    }

    @Test func rowsThatTheQueryDoesNotGiveAreNoAnswer() {
        for rows in [
            row("x", "a", ""), row("s", "a"), row("s", "a", "", ""), row(), row("k", "something", ""),
            row(nil, "a", ""),
            // No hexadecimal, no UTF-8.
            row("s", "a", "4"), row("s", "a", "4g"), row("s", "a", "4A"), row("s", "a", "ff"),
            row("c", "my.a", "xy"),
            Array(row("s", "a", "41").dropLast()), [0x44, 0, 0], [0x44, 0, 0, 0, 3],
            row("s", "a", "41") + [0],
        ] as [[UInt8]] {
            #expect(answer(rows) == nil, "\(rows)")
            #expect(answer(setting("b", "1"), rows) == nil, "\(rows)")
        }
        var invalid = row("s", "a", "41")
        invalid[invalid.count - 1 - 6] = 0xff
        #expect(answer(invalid) == nil, "a name that is no UTF-8")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func noBytesTrap(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let whole = setting("work_mem", "4MB") + row("k", "locks", "") + setting("my.x", "1", kind: "c")
        for _ in 0..<50 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...3, using: &random))
            _ = SessionInquiry.answer(bytes, user: "app")
        }
    }

    @Test func theQueryAsksForTheNamesThatItIsGiven() {
        let plain = String(decoding: SessionInquiry.query(asking: []), as: UTF8.self)
        let query = String(decoding: SessionInquiry.query(asking: ["my.x", "my.y"]), as: UTF8.self)
        #expect(query.hasPrefix(plain))
        #expect(query.dropFirst(plain.count).contains("'my.x'") && query.hasSuffix("'hex')"))
        #expect(!plain.contains("my.x"))
    }
}
