// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

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

    private var path: String { directory + "/carom.log" }

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
            try contents(of: path) == [
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
        #expect(try contents(of: path).dropFirst(6) == ["debug system a", "info system b"])
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
        #expect(try contents(of: directory + "/moved.log") == ["info system before", "info system between"])
        #expect(try contents(of: path) == ["info system after"])
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
            try contents(of: directory + "/moved.log") == [
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
        let lines = try contents(of: path)
        #expect(lines.count == 1600)
        for line in lines {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            #expect(parts.count == 5 && parts[4].count == Int(parts[3]))
        }
    }

    @Test func aLineThatCannotBeWrittenIsCounted() throws {
        defer { removeDirectory() }
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]); close(ends[1]) }
        #expect(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0)
        let writer = try LogWriter(descriptors: [ends[1]])
        var settings = Settings()
        settings.logFormat = try LogFormat("%m")
        let log = PoolerLog(settings, writer: writer)
        let text = String(repeating: "x", count: 2000)
        for _ in 0..<100 { log.info(text) }
        #expect(log.lostLines > 0 && log.lostLines < 100)
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
            try contents(of: path) == [
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
        let lines = try contents(of: path)
        #expect(lines.contains("info config         password \"***\""))
        #expect(lines.contains("info config workers 1"))
        #expect(!lines.contains { $0.contains("gretel") })
    }
}
