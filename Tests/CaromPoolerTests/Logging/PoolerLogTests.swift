// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc
import Logging
import Synchronization
import Testing

@testable import CaromConfiguration
@testable import CaromPooler

/// Where lines go, and which are written at all.
@Suite struct PoolerLogTests {
    /// A directory of its own for each test.
    private let directory: String

    init() throws {
        var template = Array("/tmp/carom-log-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
        directory = String(cString: try #require(made))
    }

    /// `F_SETPIPE_SZ` of `<linux/fcntl.h>`.
    private static let setPipeSize: Int32 = 1031

    private var path: String { directory + "/carom.log" }

    /// The lines of a file, once the log has written all it has.
    private func contents(of path: String, _ log: PoolerLog) throws -> [String] {
        #expect(log.flush())
        return try contents(of: path)
    }

    private func contents(of path: String) throws -> [String] {
        let bytes = try ConfigurationSource.files.read(path).get()
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func makeLog(_ configuration: String = "") throws -> PoolerLog {
        let text =
            smallest + "\nlog_format \"%l %c %m\" log_to_stdout no log_file \"\(path)\" " + configuration
        return try PoolerLog(ConfigurationFile.parse(text: text).settings)
    }

    private func removeDirectory() {
        for name in ["carom.log", "moved.log"] { unlink(directory + "/" + name) }
        rmdir(directory)
    }

    @Test func switchesDecideWhatIsWritten() throws {
        defer { removeDirectory() }
        let log = try makeLog("log_session no log_stats yes")
        var context = LogContext(.setup)
        context.user = "u"
        log.fatal("1")
        log.error("2", in: context)
        log.info("3")
        log.debug("4")
        log.debug("5", in: context, ofRoute: true)
        log.session("6")
        log.query("7")
        log.query("8", ofRoute: true)
        log.stats("9")
        #expect(
            try contents(of: path, log) == [
                "fatal system 1", "error setup 2", "info system 3", "debug setup 5", "info system 8",
                "info stats 9",
            ])
        var settings = Settings()
        settings.logDebug = true
        settings.logStats = false
        log.apply(settings)
        log.debug("a")
        log.session("b")
        log.stats("c")
        #expect(try contents(of: path, log).dropFirst(6) == ["debug system a", "info system b"])
        #expect(log.lostLines == 0)
    }

    @Test func aMessageNobodyWantsIsNotMade() throws {
        defer { removeDirectory() }
        let log = try makeLog("log_session no log_stats no")
        let made = Mutex(0)
        func message() -> String {
            made.withLock { $0 += 1 }
            return "x"
        }
        log.debug(message())
        log.session(message())
        log.query(message())
        log.stats(message())
        #expect(made.withLock { $0 } == 0)
        log.info(message())
        #expect(made.withLock { $0 } == 1)
    }

    @Test func aFileThatWasMovedAwayIsMadeAnew() throws {
        defer { removeDirectory() }
        let log = try makeLog()
        log.info("before")
        #expect(rename(path, directory + "/moved.log") == 0)
        log.info("between")
        log.reopen()
        log.info("after")
        #expect(
            try contents(of: directory + "/moved.log", log) == ["info system before", "info system between"])
        #expect(try contents(of: path, log) == ["info system after"])
    }

    @Test func aFileThatCannotBeMadeAnewStaysInUse() throws {
        defer { removeDirectory() }
        let log = try makeLog()
        #expect(rename(path, directory + "/moved.log") == 0)
        #expect(mkdir(path, 0o700) == 0)
        defer { rmdir(path) }
        log.reopen()
        log.info("after")
        #expect(
            try contents(of: directory + "/moved.log", log) == [
                "error system log_file \"\(path)\": Is a directory; lines go on into the old file",
                "info system after",
            ])
    }

    @Test func aFileThatCannotBeOpenedIsAnError() {
        defer { removeDirectory() }
        let missing = directory + "/missing/carom.log"
        #expect(throws: LogWriter.Failure(description: "log_file \"\(missing)\": No such file or directory"))
        {
            try LogWriter(descriptors: [], path: missing)
        }
    }

    @Test func linesOfManyThreadsStayWhole() async throws {
        defer { removeDirectory() }
        let log = try makeLog()
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for line in 0..<200 {
                        log.info("\(writer) \(line) \(String(repeating: "x", count: line))")
                        if line == 100 { log.reopen() }
                    }
                }
            }
        }
        let lines = try contents(of: path, log)
        #expect(lines.count == 1600 && log.lostLines == 0)
        for line in lines {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            #expect(parts.count == 5 && parts[4].count == Int(parts[3]))
        }
    }

    @Test func aLineThatCannotBeWrittenIsCounted() throws {
        defer { removeDirectory() }
        let log = try PoolerLog(Settings(), writer: LogWriter(descriptors: [], path: "/dev/full"))
        log.info("1")
        #expect(log.flush())
        log.info("2")
        #expect(log.flush())
        #expect(log.lostLines == 2)
    }

    /// A log of bare messages into a pipe, which holds so many bytes for a reader and so many more on their way.
    private func makePipe(queueLimit: Int) throws -> (log: PoolerLog, reader: Int32, writer: Int32) {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        #expect(fcntl(ends[1], Self.setPipeSize, 4096) == 4096)
        var settings = Settings()
        settings.logFormat = try LogFormat("%m\n")
        let writer = try LogWriter(
            descriptors: [ends[1]], LogFormatter(settings.logFormat), queueLimit: queueLimit)
        return (PoolerLog(settings, writer: writer), ends[0], ends[1])
    }

    /// All that comes out of a pipe until `last` was read, by line.
    private func read(_ reader: Int32, upTo last: String) -> [String] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(reader, &chunk, chunk.count)
            guard count > 0 else { return [] }
            bytes += chunk[..<count]
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            if bytes.last == UInt8(ascii: "\n"), lines.last == last { return lines }
        }
    }

    @Test func aReaderThatStandsStillHoldsUpNobodyAndIsToldWhatItMissed() throws {
        defer { removeDirectory() }
        let (log, reader, writer) = try makePipe(queueLimit: 10_000)
        defer { close(reader); close(writer) }
        let text = String(repeating: "x", count: 99)
        // More than pipe and queue hold. Nobody reads, so a wait would be for ever.
        for _ in 0..<1000 { log.info(text) }
        #expect(!log.writer.flush(within: .milliseconds(1)))
        let counter = Mutex(0)
        let isRead = SystemSemaphore()
        try SystemThread.start(name: "reader") {
            let lines = self.read(reader, upTo: "end")
            let told = lines.compactMap { Int($0.prefix { $0.isNumber }) }.reduce(0, +)
            counter.withLock { $0 = told + lines.count { $0 == text } }
            isRead.signal()
        }
        #expect(log.writer.flush(within: .seconds(60)))
        log.info("end")
        isRead.wait()
        #expect(log.lostLines > 500 && log.lostLines < 1000)
        #expect(counter.withLock { $0 } == 1000)
    }

    @Test func oneDestinationThatStandsStillDoesNotHoldUpAnother() throws {
        defer { removeDirectory() }
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]); close(ends[1]) }
        #expect(fcntl(ends[1], Self.setPipeSize, 4096) == 4096)
        var settings = Settings()
        settings.logFormat = try LogFormat("%m\n")
        let log = PoolerLog(
            settings,
            writer: try LogWriter(descriptors: [ends[1]], path: path, LogFormatter(settings.logFormat)))
        for number in 0..<2000 { log.info("\(number)") }
        #expect(!log.writer.flush(within: .milliseconds(200)))
        #expect(try contents(of: path) == (0..<2000).map(String.init))
        // Lets the thread go on to its end.
        _ = read(ends[0], upTo: "1999")
    }

    @Test func aPipeThatSaysThatItIsFullIsWaitedFor() throws {
        defer { removeDirectory() }
        let (log, reader, writer) = try makePipe(queueLimit: 1 << 20)
        defer { close(reader); close(writer) }
        #expect(fcntl(writer, F_SETFL, O_NONBLOCK) == 0)
        for number in 0..<2000 { log.info("\(number)") }
        #expect(read(reader, upTo: "1999") == (0..<2000).map(String.init))
        #expect(log.lostLines == 0)
    }

    @Test func librariesSpeakThroughTheSameLog() throws {
        defer { removeDirectory() }
        let log = try makeLog()
        var logger = log.libraryLogger(label: "pool shop.bob")
        logger[metadataKey: "backend"] = "10.0.0.1"
        logger.debug("not wanted")
        logger.notice("up", metadata: ["after": "3 tries"])
        logger.warning("down")
        logger.critical("gone")
        var settings = Settings()
        settings.logDebug = true
        log.apply(settings)
        logger.trace("wanted")
        logger.logLevel = .error
        logger.info("not wanted")
        #expect(
            try contents(of: path, log) == [
                "info pool pool shop.bob: up after=3 tries backend=10.0.0.1",
                "error pool pool shop.bob: down backend=10.0.0.1",
                "fatal pool pool shop.bob: gone backend=10.0.0.1",
                "debug pool pool shop.bob: wanted backend=10.0.0.1",
            ])
    }

    @Test func theDumpOfTheConfigurationHidesSecrets() throws {
        defer { removeDirectory() }
        let log = try makeLog()
        let text =
            "log_config yes\n"
            + smallest.replacing(
                "authentication \"none\"", with: "authentication \"md5\" password \"gretel\"")
        log.configuration(try ConfigurationFile.parse(text: text).settings)
        let lines = try contents(of: path, log)
        #expect(lines.contains("info config         password \"***\""))
        #expect(lines.contains("info config workers 1"))
        #expect(!lines.contains { $0.contains("gretel") })
    }
}
