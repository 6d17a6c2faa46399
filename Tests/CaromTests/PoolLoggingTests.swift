// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import InMemoryLogging
import Logging
import Testing

@Suite("Logging observer")
struct LoggingTests {
    let handler = InMemoryLogHandler()

    func logger(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "test", factory: { _ in handler })
        logger.logLevel = level
        return logger
    }

    /// One claim served, one failed because every backend is gone, and a failing connect.
    func eventful(_ level: Logger.Level) throws {
        let rig = try ShellRig(logger: logger(level)) { $0.failFastWhenEmpty = true }
        let holder = rig.hold()
        holder.release()
        rig.clock.runUntilQuiescent()
        var script = FakeConnector.Script()
        script.connect = { _ in .fail("no route") }
        rig.connector.script = script
        rig.resolver.publish([Backend(name: "b", address: .unix(path: "/b"))])
        rig.clock.advance(by: .seconds(1))
        rig.resolver.publish([])
        rig.clock.advance(by: .seconds(60))
        #expect(rig.hold(timeout: .zero).state == .failed(.noBackends))
        _ = rig.stop()
    }

    @Test func whatGoesWrongIsDebugAndNamesThePool() throws {
        try eventful(.debug)
        let entries = handler.entries
        #expect(entries.allSatisfy { $0.level == .debug && $0.metadata["pool"] == "test" })
        for word in ["connectFailed", "no route", "backendAdded", "backendRemoved", "claimFailed", "stopped"]
        {
            #expect(entries.contains { "\($0.message)".contains(word) }, "nothing about \(word)")
        }
    }

    @Test func everyClaimIsTrace() throws {
        try eventful(.trace)
        let traced = handler.entries.filter { $0.level == .trace }
        for word in ["claimed(", "returned(", "connectStarted(", "closed("] {
            #expect(traced.contains { "\($0.message)".contains(word) }, "nothing about \(word)")
        }
        #expect(handler.entries.contains { $0.level == .debug })
    }

    @Test("behaviour 68: a backend that dies is a warning, and one that is back a notice")
    func deathAndReturn() throws {
        let rig = try ShellRig(logger: logger(.info))
        var script = FakeConnector.Script()
        script.connect = { _ in .fail("no route") }
        rig.connector.script = script
        rig.resolver.publish([Backend(name: "b", address: .unix(path: "/b"))])
        rig.clock.advance(by: .seconds(30))
        #expect(
            handler.entries.map { "\($0.level): \($0.message)" }.sorted() == [
                "warning: backend b (unix:/b) is dead, was suspect",
                "warning: the pool is failed, was running",
            ])
        handler.clear()
        rig.connector.script = FakeConnector.Script()
        rig.clock.advance(by: .seconds(60))
        #expect(
            handler.entries.map { "\($0.level): \($0.message)" }.sorted() == [
                "notice: backend b (unix:/b) is suspect, was dead", "notice: the pool is running, was failed",
            ])
    }

    @Test(arguments: [Logger.Level.info, .notice, .warning, .error, .critical])
    func aLoggerAboveDebugHearsNothingElse(level: Logger.Level) throws {
        try eventful(level)
        #expect(handler.entries.isEmpty)
    }

    @Test(arguments: [(Logger.Level.trace, true), (.debug, false), (.info, false)])
    func eventsOfEveryClaimAreMadeForATracingLoggerOnly(level: Logger.Level, wanted: Bool) {
        #expect(PoolLogging(logger: logger(level), pool: "test").observesClaims == wanted)
    }
}
