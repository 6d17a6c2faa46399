// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import Testing

@testable import CaromConfiguration
@testable import CaromPooler

/// What a line looks like, to the byte.
@Suite struct LogLineTests {
    private static let client = ConnectionID("c00000000-1111-4222-8333-444444444444")
    private static let server = ConnectionID("s00000000-1111-4222-8333-555555555555")

    private static func line(_ message: String = "hello", _ level: LogLevel = .info) -> LogLine {
        var context = LogContext(.main)
        context.clientID = client
        context.serverID = server
        context.user = "bob"
        context.database = "shop"
        context.clientHost = "10.0.0.9"
        context.clientPort = 54321
        context.serverHost = "10.0.0.1:5432"
        return LogLine(
            time: LogTime(seconds: 1_527_800_128, nanoseconds: 7_999_999), processID: 4711, threadID: 0xBEEF,
            level: level, context: context, message: message)
    }

    private static func printed(_ format: String, _ line: LogLine) throws -> String {
        var bytes: [UInt8] = []
        try LogFormat(format).append(line, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: [
        ("%n", "1527800128\n"), ("%t", "2018-05-31T20:55:28Z\n"), ("%e", "007\n"), ("%p", "4711\n"),
        ("%T", "beef\n"), ("%i", "c00000000-1111-4222-8333-444444444444\n"),
        ("%s", "s00000000-1111-4222-8333-555555555555\n"), ("%u@%d", "bob@shop\n"), ("%c", "main\n"),
        ("%l", "info\n"), ("%m", "hello\n"), ("%h:%r", "10.0.0.9:54321\n"), ("%H", "10.0.0.1:5432\n"),
        ("%x", "none\n"), ("100%%", "100%\n"), ("%m\\n", "hello\n"),
        ("a\\tb\\rc\\\\d\\q%m", "a\tb\rc\\d\\qhello\n"),
        ("", "\n"), ("é%m", "éhello\n"),
        (
            "%p %t %l [%i %s] (%c) %m\\n",
            "4711 2018-05-31T20:55:28Z info [c00000000-1111-4222-8333-444444444444 s00000000-1111-4222-8333-555555555555] (main) hello\n"
        ),
    ])
    func everyEscapeShowsItsPart(format: String, expected: String) throws {
        #expect(try Self.printed(format, Self.line()) == expected)
    }

    @Test func whatIsNotKnownIsNone() throws {
        var line = Self.line()
        line.context = .system
        #expect(
            try Self.printed("%i %s %u %d %h %r %H %x %c", line)
                == "none none none none none none none none system\n")
    }

    @Test(arguments: [
        ("%", "the format ends behind a %; a percent sign is written %%"),
        (
            "%q",
            "unknown escape %q in the format; allowed: %n %t %e %p %T %i %s %u %d %c %l %m %M %h %r %H %x %%"
        ),
    ])
    func aWrongFormatSaysWhatIsAllowed(format: String, problem: String) {
        #expect(throws: LogFormatError(description: problem)) { try LogFormat(format) }
    }

    @Test func nobodyWritesLinesThroughANameOrAMessage() throws {
        var line = Self.line("one\ntwo\r\u{1B}[2J\u{0}\u{85}\u{9B}é=\\")
        line.context.user = "eve\n4711 info all is well"
        line.context.database = "d\u{7F}\t"
        let text = try Self.printed("%u|%d|%m", line)
        #expect(
            text == #"eve\n4711 info all is well|d\x7f\t|one\ntwo\r\x1b[2J\x00\x85\x9bé=\"# + "\n")
        #expect(try Self.printed("%M", line) == #"one\ntwo\r\x1b[2J\x00\x85\x9bé\=\\"# + "\n")
    }

    @Test func longTextIsCutBetweenCharacters() throws {
        let exact = String(repeating: "x", count: LogLine.longestMessage)
        #expect(try Self.printed("%m", Self.line(exact)) == exact + "\n")
        for text in [exact + "y", String(repeating: "é", count: 5000), String(repeating: "\n", count: 5000)] {
            let printed = try Self.printed("%m", Self.line(text))
            #expect(printed.hasSuffix("…\n") && !printed.contains("\u{FFFD}"))
            #expect((LogLine.longestMessage - 12...LogLine.longestMessage).contains(printed.utf8.count - 1))
        }
        var line = Self.line()
        line.context.user = String(repeating: "u", count: 129)
        #expect(try Self.printed("%u", line) == String(repeating: "u", count: 119 + 1).prefix(120) + "…\n")
    }

    @Test func aJSONLineIsOneObject() throws {
        let expected = """
            {"timestamp":"2018-05-31T20:55:28.007Z","pid":4711,"tid":48879,"level":"error","context":"main",\
            "message":"a \\"quoted\\" \\\\ line\\nand \\u0001 more",\
            "client":{"id":"c00000000-1111-4222-8333-444444444444","ip":"10.0.0.9","port":54321,"user":"bob",\
            "database":"shop","server_host":"10.0.0.1:5432"},\
            "server":{"id":"s00000000-1111-4222-8333-555555555555"}}

            """
        #expect(
            try Self.printed("json", Self.line("a \"quoted\" \\ line\nand \u{1} more", .error)) == expected)
        var bare = Self.line("x")
        bare.context = LogContext(.stats)
        #expect(
            try Self.printed("json", bare)
                == #"{"timestamp":"2018-05-31T20:55:28.007Z","pid":4711,"tid":48879,"level":"info","context":"stats","message":"x"}"#
                + "\n")
    }

    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"), (951_868_800, "2000-03-01T00:00:00Z"),
        (1_709_164_800, "2024-02-29T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
    ])
    func datesAreThoseOfTheCalendar(seconds: Int64, expected: String) {
        var bytes: [UInt8] = []
        LogTime(seconds: seconds).appendTimestamp(withMilliseconds: false, to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }
}
