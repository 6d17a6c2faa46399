// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

@Suite struct TextSettingsTests {
    private func values(_ settings: KeyValuePairs<String, String>) -> SettingValues {
        SettingValues(settings.map { StartupParameter($0.key, $0.value) })
    }

    private func strings(_ statements: [[UInt8]]) -> [String] {
        statements.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        arguments: [
            ("select 1", [] as TextSettings), ("select $1, $23", []), ("select 'a'", .literals),
            ("select $$a$$", .literals), ("select $a$b$a$", .literals), ("select 1 -- ä", .encoding),
            ("select '\\n'", [.literals, .backslashes]), ("select $", .literals),
        ] as [(String, TextSettings)])
    func itShowsInATextWhatMattersToIt(_ text: String, _ expected: TextSettings) {
        #expect(TextSettings(mattering: Array(text.utf8).span.bytes) == expected.union(.nulls))
    }

    @Test(
        arguments: [
            ("set work_mem = '1MB'", [] as TextSettings), ("SET NAMES 'latin1'", .encoding),
            ("set Client_Encoding to default", .encoding), ("set local search_path = a", .path),
            ("set schema 'a'", .path), ("set time zone 'UTC'", .literals),
            ("set xml option content", .literals), ("set", []), ("", []),
            (
                "select set_config('TransForm_null_equals', 'on', false), set_config('timezone', '', true)",
                [.nulls, .literals]
            ),
        ] as [(String, TextSettings)])
    func itShowsInATextWhatItMayChange(_ text: String, _ expected: TextSettings) {
        #expect(TextSettings(namedIn: Array(text.utf8).span.bytes) == expected)
    }

    @Test func theWayLeadsThereAndBack() {
        let detour = TextSettings([.encoding, .literals]).detour(
            to: values(["client_encoding": "UTF8", "datestyle": "ISO, DMY", "work_mem": "1MB"]),
            from: values(["client_encoding": "LATIN1", "TimeZone": "UTC", "search_path": "a"]))
        #expect(
            strings(detour.there) == [
                "RESET timezone", "SET client_encoding='UTF8'", "SET datestyle='ISO, DMY'",
            ])
        #expect(
            strings(detour.back) == [
                "RESET datestyle", "SET client_encoding='LATIN1'", "SET timezone='UTC'",
            ])
    }

    @Test func withinABlockWhatIsOpenIsSetInAnyCase() {
        let same = values(["client_encoding": "UTF8"])
        let detour = TextSettings([.encoding, .backslashes]).detourInBlock(
            to: same, from: same, open: [.encoding, .nulls])
        #expect(strings(detour.there) == ["SAVEPOINT carom", "SET client_encoding='UTF8'"])
        #expect(strings(detour.back) == ["ROLLBACK TO SAVEPOINT carom", "RELEASE SAVEPOINT carom"])
        let other = TextSettings.backslashes.detourInBlock(to: same, from: same, open: .all)
        #expect(
            strings(other.there) == [
                "SAVEPOINT carom", "RESET backslash_quote", "RESET standard_conforming_strings",
            ])
    }

    // MARK: The book's answer

    private let content = Array("select 'ä'".utf8) + [0, 0, 0]

    private func flow(_ status: TransactionStatus = .idle) -> QueryFlow {
        QueryFlow(transactionStatus: status)
    }

    private func book(_ settings: KeyValuePairs<String, String>) -> SessionBook {
        SessionBook(startup: values(settings))
    }

    private func meaning(of book: inout SessionBook) throws -> TextMeaning {
        let meaning = book.meaning
        return try #require(meaning)
    }

    private func there(_ book: SessionBook, _ content: [UInt8], _ meaning: TextMeaning, _ flow: QueryFlow)
        throws -> [String]
    {
        let detour = book.detour(of: content, to: meaning, flow)
        return strings(try #require(detour).there)
    }

    private func note(_ text: String, in book: inout SessionBook) {
        let bytes = Array(text.utf8)
        book.note(.settings)
        book.note(.settings, ofText: bytes.span.bytes)
    }

    @Test func underTheSameSettingsThereIsNoDetour() throws {
        var one = book(["datestyle": "ISO, DMY", "application_name": "a"])
        let meaning = try meaning(of: &one)
        var same = book(["datestyle": "ISO, DMY", "application_name": "b"])
        _ = same.meaning
        for book in [one, same] {
            #expect(try there(book, content, meaning, flow()).isEmpty)
        }
    }

    @Test func whatDoesNotMatterIsNotSet() throws {
        var before = book(["client_encoding": "UTF8"])
        let meaning = try meaning(of: &before)
        let after = book(["client_encoding": "LATIN1"])
        let plain = Array("select 'a'".utf8) + [0, 0, 0]
        #expect(try there(after, plain, meaning, flow()).isEmpty)
        #expect(
            try there(after, content, meaning, flow()) == [
                "SET client_encoding='UTF8'"
            ])
    }

    @Test func underAnotherPathLiteralsAreReadAgain() throws {
        var before = book(["datestyle": "ISO, DMY"])
        let meaning = try meaning(of: &before)
        let after = book(["datestyle": "ISO, MDY", "search_path": "a", "client_encoding": "LATIN1"])
        #expect(
            try there(after, content, meaning, flow()) == [
                "RESET client_encoding"
            ])
    }

    @Test func whatIsOpenIsOnlySetWithinABlock() throws {
        var book = book(["datestyle": "ISO, DMY"])
        let meaning = try meaning(of: &book)
        note("set local work_mem = '1MB'", in: &book)
        #expect(try there(book, content, meaning, flow()).isEmpty)
        note("set local datestyle = 'ISO, MDY'", in: &book)
        #expect(book.detour(of: content, to: meaning, flow()) == nil)
        #expect(book.detour(of: content, to: meaning, flow(.failed)) == nil)
        var busy = flow(.inTransaction)
        try busy.sent(.parse)
        #expect(book.detour(of: content, to: meaning, busy) == nil)
        #expect(try there(book, content, meaning, flow(.inTransaction)).first == "SAVEPOINT carom")
        book.settle()
        #expect(try there(book, content, meaning, flow()).isEmpty)
    }

    @Test func behindAResetOfAllEverythingIsOpen() throws {
        var book = book(["datestyle": "ISO, DMY"])
        let meaning = try meaning(of: &book)
        book.note([.settings, .resets, .resetsAll])
        #expect(book.detour(of: content, to: meaning, flow()) == nil)
    }
}
