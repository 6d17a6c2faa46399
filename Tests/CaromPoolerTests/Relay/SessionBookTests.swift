// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private func values(_ values: [String: String]) -> SettingValues {
    SettingValues(values.map { StartupParameter($0.key, $0.value) })
}

private func book(_ startup: [String: String] = [:], told: [String: String] = [:]) -> SessionBook {
    SessionBook(startup: values(startup), told: values(told))
}

@Suite struct SessionBookTests {
    // MARK: Wishes

    @Test func aSessionBeginsWithItsStartupPacket() {
        let book = book(["TimeZone": "UTC"])
        #expect(
            book.wishes == values(["TimeZone": "UTC"]) && book.startup == book.wishes && book.version == 0)
    }

    @Test func whatIsFoundIsWishedAndWhatIsNotWasReset() {
        var book = book(["TimeZone": "UTC", "work_mem": "1"])
        book.found(values(["TimeZone": "Asia/Tokyo", "DateStyle": "German"]))
        #expect(book.wishes == values(["TimeZone": "Asia/Tokyo", "DateStyle": "German", "work_mem": "1"]))
        book.found(SettingValues())
        #expect(book.wishes == book.startup)
    }

    @Test func aRoleThatIsGoneWasTakenAwayUnlessItWasReset() {
        var book = book(["role": "ada"])
        book.note(.settings)
        book.found(SettingValues())
        #expect(book.wishes["role"] == "none", "SET ROLE NONE")
        book.note([.settings, .resets])
        let applied = book.found(SettingValues())
        #expect(book.wishes["role"] == "none", "another setting was reset")
        #expect(applied == values(["role": "none"]), "nothing is to be set")
        book.note([.settings, .resets, .resetsRole])
        book.found(SettingValues())
        #expect(book.wishes["role"] == "ada")
        book.found(values(["role": "bob"]))
        #expect(book.wishes["role"] == "bob")
        book.note([.settings, .setsRole])
        book.found(SettingValues())
        #expect(book.wishes["role"] == "none", "RESET ROLE; SET ROLE NONE")
    }

    @Test func aResetThatFailedBringsNoRoleBack() {
        var server = ServerState()
        var book = book(["role": "ada"])
        book.note([.settings, .setsRole])
        server.apply(book.found(SettingValues()))
        book.settle()
        book.note([.settings, .resets, .resetsRole])
        let question = book.repair(&server, resetAlone: nil, isCertain: false)
        book.found(SettingValues())
        #expect(question == .whatWasReset && book.wishes["role"] == "none")
    }

    @Test func oneSettingGoesBack() {
        var book = book(["TimeZone": "UTC"])
        book.found(values(["TimeZone": "Asia/Tokyo", "work_mem": "1"]))
        book.reset("work_mem")
        #expect(book.wishes == values(["TimeZone": "Asia/Tokyo"]))
        book.reset("TimeZone")
        #expect(book.wishes == values(["TimeZone": "UTC"]))
        book.reset("DateStyle")
        #expect(book.wishes == book.startup)
    }

    @Test func allGoesBack() {
        var book = book(["TimeZone": "UTC"])
        book.found(values(["TimeZone": "Asia/Tokyo", "work_mem": "1"]))
        book.reset()
        #expect(book.wishes == book.startup)
    }

    @Test func theVersionCountsChangesOnly() {
        var book = book(["TimeZone": "UTC"])
        book.found(values(["TimeZone": "UTC"]))
        book.reset()
        #expect(book.version == 0)
        book.found(values(["work_mem": "1"]))
        #expect(book.version == 1)
        book.found(values(["work_mem": "1", "TimeZone": "UTC"]))
        #expect(book.version == 1)
        book.reset("work_mem")
        #expect(book.version == 2)
    }

    // MARK: What is open

    @Test func onlyWhatMayLastIsAskedFor() {
        let cases: [(StatementEffects, Bool)] = [
            ([], false), (.settings, true), (.keeps, true), ([.settings, .resets], true), (.letsGo, false),
            (.callsUnknown, false), (.advancesSequences, false),
        ]
        for (effects, isAsked) in cases {
            var book = book()
            book.note(effects)
            #expect(book.needsInquiry == isAsked)
            book.settle()
            #expect(!book.needsInquiry)
        }
    }

    @Test func onlyAResetOfSomethingThatTheSessionBeganWithNeedsARepair() {
        #expect(book(["TimeZone": "UTC"]).needsRepair(after: [.settings, .resets]))
        #expect(!book(["TimeZone": "UTC"]).needsRepair(after: .settings))
        #expect(!book().needsRepair(after: [.settings, .resets]))
    }

    @Test func aRepairLeavesNothingOpenIfNothingElseWasChanged() {
        var alone = book(["TimeZone": "UTC"])
        alone.note([.settings, .resets])
        alone.settleReset(isOver: true)
        #expect(!alone.needsInquiry && alone.effects.isEmpty)
        var open = book(["TimeZone": "UTC"])
        open.note([.settings, .resets])
        open.settleReset(isOver: false)
        #expect(open.needsInquiry, "a rollback may take it back")
        var second = book(["TimeZone": "UTC"])
        second.note(.settings)
        second.note([.settings, .resets])
        second.settleReset(isOver: true)
        #expect(second.needsInquiry && !second.effects.contains(.resets))
    }

    @Test func whatIsSetBehindAResetOfAllIsNotForgotten() {
        var book = book(["TimeZone": "UTC"])
        book.note([.settings, .resets, .resetsAll])
        book.note(.settings)
        #expect(!book.effects.contains(.resetsAll) && book.effects.contains([.settings, .resets]))
        book.settleReset(isOver: true)
        #expect(book.needsInquiry)
    }

    // MARK: The meaning of texts

    @Test func theMeaningIsThatOfTheSettings() {
        var one = book(["search_path": "a", "application_name": "x"])
        var same = book(["SEARCH_PATH": "a", "application_name": "y"])
        var other = book(["search_path": "b"])
        var none = book()
        let meanings = [one.meaning?.key, same.meaning?.key, other.meaning?.key, none.meaning?.key]
        #expect(meanings[0] == meanings[1] && meanings[0] != meanings[2] && meanings[0] != meanings[3])
        #expect(!meanings.contains(nil))
        one.found(values(["search_path": "b"]))
        let after = one.meaning?.key
        #expect(after == meanings[2])
    }

    @Test func namesAndValuesDoNotRunTogether() {
        var one = book(["a": "bc"])
        var other = book(["ab": "c"])
        let meanings = [one.meaning?.key, other.meaning?.key]
        #expect(meanings[0] != meanings[1])
    }

    @Test func whileSettingsAreOpenATextMeansNothingToOthers() {
        var book = book()
        book.note(.settings)
        let open = book.meaning
        book.settle()
        let settled = book.meaning
        #expect(open == nil && settled?.key == [])
    }

    // MARK: The question

    @Test func customSettingsAreAskedForByTheNamesThatWereSeen() {
        var book = book(["my.start": "1", "TimeZone": "UTC"])
        book.note(customNames: ["My.Seen", "my.seen"])
        let query = String(decoding: book.inquiry, as: UTF8.self)
        #expect(query.contains("'my.start'") && query.contains("'my.seen'") && !query.contains("My.Seen"))
        #expect(query.ranges(of: "'c','my.seen'").count == 1 && !query.contains("'c','TimeZone'"))
    }

    @Test func aClientCannotMakeTheQuestionEndless() {
        var book = book()
        for number in 0..<10_000 { book.note(customNames: ["my.x\(number)"]) }
        let query = String(decoding: book.inquiry, as: UTF8.self)
        #expect(query.ranges(of: "'c','my.x").count == 256)
    }

    // MARK: What the client is told

    @Test func theClientIsToldWhatItDoesNotKnow() {
        var book = book(told: ["TimeZone": "UTC", "DateStyle": "ISO"])
        #expect(book.tell(values(["TimeZone": "UTC", "DateStyle": "ISO"])).isEmpty)
        var expected: [UInt8] = []
        ParameterStatus(name: "TimeZone", value: "Asia/Tokyo").encode(into: &expected)
        let reported = values(["TimeZone": "Asia/Tokyo", "DateStyle": "ISO"])
        let told = [book.tell(reported), book.tell(reported)]
        #expect(told[0] == expected && told[1].isEmpty)
        book.wasTold(values(["TimeZone": "UTC", "DateStyle": "ISO"]))
        let again = book.tell(reported)
        #expect(again == expected)
    }

    @Test func theProbeIsAParameterThatTheClientKnowsOrANotice() {
        #expect(book().repetition() == PresenceCheck.notice)
        var expected: [UInt8] = []
        ParameterStatus(name: "TimeZone", value: "UTC").encode(into: &expected)
        #expect(book(told: ["TimeZone": "UTC"]).repetition() == expected)
    }
}
