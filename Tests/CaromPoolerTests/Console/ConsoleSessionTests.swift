// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private typealias M = ClientMessage

private let commands = ConsoleCommands.all.map { $0.usage }.joined(separator: ", ")
private let columns = "T version:25:text"
private let row = "D Carom 9.8.7"

/// What a client sends, and what it is answered.
private struct Exchange: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let sent: [UInt8]
    let answer: [String]

    init(_ description: String, _ sent: [[UInt8]], _ answer: [String]) {
        testDescription = description
        self.sent = sent.flatMap { $0 }
        self.answer = answer
    }
}

private func unknown(_ words: String) -> String {
    "E ERROR 42601: unknown console command \"\(words)\" / the commands are: \(commands)"
}

private let exchanges: [Exchange] = [
    Exchange("the version", [M.query("SHOW VERSION;")], [columns, row, "C SHOW", "Z idle"]),
    Exchange(
        "case, spaces and comments do not matter",
        [M.query("/* a /* nested */ one */ sHoW\n\tversion -- now")],
        [columns, row, "C SHOW", "Z idle"]),
    Exchange(
        "several statements, empty ones among them", [M.query(";show version;;SHOW VERSION; ")],
        [columns, row, "C SHOW", columns, row, "C SHOW", "Z idle"]),
    Exchange("an empty query", [M.query(" ; -- nothing")], ["I", "Z idle"]),
    Exchange("help", [M.query("show help")], ["N NOTICE 00000: console usage", "C SHOW", "Z idle"]),
    Exchange("an unknown command", [M.query("SELECT 1")], [unknown("SELECT 1"), "Z idle"]),
    Exchange(
        "nothing happens when a later one is unknown", [M.query("SHOW VERSION; SHOW NONSENSE")],
        [unknown("SHOW NONSENSE"), "Z idle"]),
    Exchange(
        "a quoted word is no keyword", [M.query("SHOW \"version\"")], [unknown("SHOW version"), "Z idle"]),
    Exchange(
        "a quote that is not closed", [M.query("SHOW 'version")],
        ["E ERROR 42601: a quote is not closed", "Z idle"]),
    Exchange(
        "text that is not UTF-8", [[0x51, 0, 0, 0, 6, 0xff, 0]],
        ["E ERROR 22021: the query is not valid UTF-8", "Z idle"]),
    Exchange(
        "more commands than allowed in one query",
        [M.query(String(repeating: "help;", count: 33))],
        ["E ERROR 54000: more than 32 commands in one query", "Z idle"]),
    Exchange(
        "what psycopg sends: unnamed, all at once",
        [M.parse("SHOW VERSION"), M.bind(), M.describe(.portal), M.execute(), M.sync],
        ["1", "2", columns, row, "C SHOW", "Z idle"]),
    Exchange(
        "what asyncpg sends: named, described first, binary results",
        [
            M.parse("SHOW VERSION", as: "__asyncpg_stmt_1__"), M.describe(.statement, "__asyncpg_stmt_1__"),
            M.empty(.flush), M.sync, M.bind("__asyncpg_stmt_1__", formats: [.binary]), M.execute(), M.sync,
            M.close(.statement, "__asyncpg_stmt_1__"), M.sync,
        ],
        ["1", "t 2", columns, "Z idle", "2", row, "C SHOW", "Z idle", "3", "Z idle"]),
    Exchange(
        "a portal is described in the format that was asked for",
        [M.parse("SHOW VERSION"), M.bind(formats: [.binary]), M.describe(.portal), M.sync],
        ["1", "2", "T version:25:binary", "Z idle"]),
    Exchange(
        "a command without a table",
        [M.parse("HELP"), M.describe(.statement), M.bind(), M.describe(.portal), M.execute(), M.sync],
        ["1", "t 2", "n", "2", "n", "N NOTICE 00000: console usage", "C SHOW", "Z idle"]),
    Exchange(
        "it cannot be run twice", [M.parse("HELP"), M.bind(), M.execute(), M.execute(), M.sync],
        [
            "1", "2", "N NOTICE 00000: console usage", "C SHOW",
            "E ERROR 55000: the portal has been run and cannot be run again", "Z idle",
        ]),
    Exchange(
        "a table that was read is empty",
        [M.parse("SHOW VERSION"), M.bind(), M.execute(limit: 1), M.execute(), M.sync],
        ["1", "2", row, "C SHOW", "C SHOW", "Z idle"]),
    Exchange(
        "an empty statement", [M.parse(""), M.bind(), M.describe(.portal), M.execute(), M.sync],
        ["1", "2", "n", "I", "Z idle"]),
    Exchange(
        "after an error everything is passed over up to the Sync",
        [
            M.parse("SHOW NONSENSE"), M.bind(), M.execute(), M.query("SHOW VERSION"), M.sync,
            M.query("SHOW VERSION"),
        ],
        [unknown("SHOW NONSENSE"), "Z idle", columns, row, "C SHOW", "Z idle"]),
    Exchange(
        "two commands in one statement", [M.parse("HELP; HELP"), M.sync],
        ["E ERROR 42601: cannot insert multiple commands into a prepared statement", "Z idle"]),
    Exchange(
        "a statement that is there already", [M.parse("HELP", as: "a"), M.parse("HELP", as: "a"), M.sync],
        ["1", "E ERROR 42P05: prepared statement \"a\" already exists", "Z idle"]),
    Exchange(
        "a statement that is not there", [M.bind("b"), M.sync],
        ["E ERROR 26000: prepared statement \"b\" does not exist", "Z idle"]),
    Exchange(
        "a portal that is there already",
        [M.parse("HELP"), M.bind(portal: "p"), M.bind(portal: "p"), M.sync],
        ["1", "2", "E ERROR 42P03: portal \"p\" already exists", "Z idle"]),
    Exchange(
        "a Sync ends the portals", [M.parse("HELP"), M.bind(portal: "p"), M.sync, M.execute("p"), M.sync],
        ["1", "2", "Z idle", "E ERROR 34000: portal \"p\" does not exist", "Z idle"]),
    Exchange(
        "a simple query ends the unnamed statement", [M.parse("HELP"), M.query(""), M.bind(), M.sync],
        ["1", "I", "Z idle", "E ERROR 26000: prepared statement \"\" does not exist", "Z idle"]),
    Exchange(
        "a parameter", [M.parse("HELP"), M.bind(parameters: [nil]), M.sync],
        [
            "1", "E ERROR 08P01: bind message supplies 1 parameters, but console commands take none",
            "Z idle",
        ]),
    Exchange(
        "more formats than columns",
        [M.parse("SHOW VERSION"), M.bind(formats: [.text, .text]), M.sync],
        [
            "1", "E ERROR 08P01: bind message has 2 result formats, but the command has 1 columns", "Z idle",
        ]),
    Exchange(
        "closing what is not there", [M.close(.portal, "x"), M.close(.statement, "x"), M.sync],
        ["3", "3", "Z idle"]),
    Exchange(
        "a name that is too long", [M.parse("HELP", as: String(repeating: "n", count: 64)), M.sync],
        ["E ERROR 42622: a name has more than 63 bytes", "Z idle"]),
    Exchange(
        "a function call", [[0x46, 0, 0, 0, 4]],
        ["E ERROR 0A000: the console has no functions", "Z idle"]),
    Exchange("leftovers of a COPY", [M.empty(.copyDone), M.sync], ["Z idle"]),
    Exchange("a goodbye", [M.query(""), M.empty(.terminate), M.query("")], ["I", "Z idle", "-"]),
    Exchange(
        "an unknown type", [M.query(""), [0x21, 0, 0, 0, 4]],
        ["I", "Z idle", "E FATAL 08P01: unknown message type 33 ('!')", "-"]),
    Exchange(
        "a length below the least", [[0x51, 0, 0, 0, 3]],
        ["E FATAL 08P01: invalid message length 3: it counts itself and is at least 4", "-"]),
    Exchange(
        "a length above the most", [[0x51, 0, 1, 0, 1]],
        ["E FATAL 08P01: invalid message length 65537: the limit for this message is 65536 bytes", "-"]),
    Exchange(
        "a query without its terminator", [[0x51, 0, 0, 0, 5, 0x20]],
        ["E FATAL 08P01: malformed message: a text field has no terminating zero byte", "-"]),
    Exchange(
        "a kind of object that is none", [[0x44, 0, 0, 0, 6, 0x21, 0]],
        ["E FATAL 08P01: malformed message: unknown value 33", "-"]),
    Exchange(
        "a password", [[0x70, 0, 0, 0, 5, 0]],
        ["E FATAL 08P01: received a password message after the login", "-"]),
]

@Suite struct ConsoleSessionTests {
    @Test(arguments: exchanges)
    private func theClientIsAnswered(_ exchange: Exchange) {
        #expect(ConsoleConversation.answer(exchange.sent) == exchange.answer)
    }

    @Test(arguments: exchanges)
    private func howTheBytesAreCutMakesNoDifference(_ exchange: Exchange) {
        #expect(
            ConsoleConversation.answer(
                exchange.sent, cuts: Array(repeating: 1, count: exchange.sent.count)) == exchange.answer)
        var random = SeededRandom(seed: 7)
        for _ in 0..<50 {
            let cuts = (0..<exchange.sent.count).map { _ in Int.random(in: 1...9, using: &random) }
            #expect(
                ConsoleConversation.answer(exchange.sent, cuts: cuts) == exchange.answer, "cuts \(cuts)")
        }
    }

    @Test func aClientIsGreetedLikeByAServer() {
        var bytes: [UInt8] = []
        ConsoleSession.greet(
            user: "ops", applicationName: "psql", version: "9.8.7",
            key: BackendKeyData(processID: 7, key: [1, 2, 3, 4]), into: &bytes)
        let lines = ConsoleConversation.lines(of: bytes)
        #expect(lines.first == "R 4")
        #expect(lines.suffix(2) == ["K 8", "Z idle"])
        for expected in [
            "server_version=9.8.7/carom", "client_encoding=UTF8", "standard_conforming_strings=on",
            "session_authorization=ops", "application_name=psql", "DateStyle=ISO, MDY",
            "integer_datetimes=on",
        ] { #expect(lines.contains("S \(expected)")) }
    }

    @Test func helpListsEveryCommand() throws {
        guard case .done(_, let notice?) = ShowHelp().run(Sample.console()) else {
            Issue.record("help is a notice")
            return
        }
        for command in ConsoleCommands.all { #expect(notice.detail?.contains(command.usage) == true) }
    }

    @Test func outputIsTakenBeforeMoreIsMade() {
        var conversation = ConsoleConversation()
        let count = 20_000
        conversation.send(Array(repeatElement(M.query("HELP"), count: count).joined()))
        #expect(conversation.lines.count { $0 == "Z idle" } == count)
        #expect(conversation.pauses > 1)
        #expect(conversation.largestOutput < 2 * ConsoleSession.outputLimit)
    }

    @Test func aSessionKeepsNoMoreThanItsLimits() {
        var sent: [UInt8] = []
        for number in 0...ConsoleStatements.statementLimit { sent += M.parse("HELP", as: "s\(number)") }
        #expect(
            ConsoleConversation.answer(sent + M.sync).suffix(2) == [
                "E ERROR 53400: more than 256 prepared statements", "Z idle",
            ])
        sent = M.parse("HELP")
        for number in 0...ConsoleStatements.portalLimit { sent += M.bind(portal: "p\(number)") }
        #expect(
            ConsoleConversation.answer(sent + M.sync).suffix(2) == [
                "E ERROR 53400: more than 16 portals", "Z idle",
            ])
    }

    /// Whatever comes: whole messages go out, the session goes on or ends, nothing traps.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func hostileBytesEndInAnErrorAtMost(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var sent: [UInt8] = []
        for _ in 0..<20 { sent += exchanges.randomElement(using: &random)?.sent ?? [] }
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let place = Int.random(in: sent.indices, using: &random)
            sent[place] = UInt8.random(in: 0...255, using: &random)
        }
        let whole = ConsoleConversation.answer(sent)
        #expect(!whole.contains { $0 == "?" || $0.contains(" malformed: ") }, "seed \(seed)")
        let cuts = (0..<sent.count).map { _ in Int.random(in: 1...200, using: &random) }
        #expect(ConsoleConversation.answer(sent, cuts: cuts) == whole, "seed \(seed)")
    }
}
