// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromConfiguration
package import Logging
import Synchronization

/// The pooler's log: says what happened if the settings want to know. What is switched off costs one load of a flag;
/// its message is not even put together.
package final class PoolerLog: Sendable {
    private let formatter: LogFormatter
    let writer: LogWriter
    private let enabled: Atomic<UInt8>

    /// What can be switched on and off by a reload.
    private enum Topic: UInt8 {
        case debug = 1
        case session = 2
        case query = 4
        case stats = 8
    }

    /// A log to where the settings say.
    ///
    /// - Throws: when the log file cannot be opened.
    package convenience init(_ settings: Settings) throws(LogWriter.Failure) {
        self.init(settings, writer: try LogWriter(settings))
    }

    package init(_ settings: Settings, writer: LogWriter) {
        formatter = LogFormatter(settings.logFormat)
        self.writer = writer
        enabled = Atomic(Self.topics(of: settings))
    }

    /// Takes over the switches of new settings. Format and destinations stay: those need a restart.
    package func apply(_ settings: Settings) {
        enabled.store(Self.topics(of: settings), ordering: .relaxed)
    }

    /// Whether `log_debug` is on.
    package var isDebugging: Bool { wants(.debug) }
    /// Whether `log_session` is on.
    package var isLoggingSessions: Bool { wants(.session) }
    /// Whether `log_query` is on for all routes.
    package var isLoggingQueries: Bool { wants(.query) }

    /// The pooler cannot go on.
    package func fatal(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system
    ) {
        emit(.fatal, message(), context())
    }

    /// Something did not work.
    package func error(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system
    ) {
        emit(.error, message(), context())
    }

    /// What happened; always shown.
    package func info(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system
    ) {
        emit(.info, message(), context())
    }

    /// Shown with `log_debug`, of everything or of the route concerned.
    package func debug(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system,
        ofRoute: Bool = false
    ) {
        if ofRoute || wants(.debug) { emit(.debug, message(), context()) }
    }

    /// Clients and servers coming and going: shown with `log_session`.
    package func session(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system
    ) {
        if wants(.session) { emit(.info, message(), context()) }
    }

    /// What clients send: shown with `log_query`, of everything or of the route concerned.
    package func query(
        _ message: @autoclosure () -> String, in context: @autoclosure () -> LogContext = .system,
        ofRoute: Bool = false
    ) {
        if ofRoute || wants(.query) { emit(.info, message(), context()) }
    }

    /// Numbers every `stats_interval`: shown with `log_stats`.
    package func stats(_ message: @autoclosure () -> String) {
        if wants(.stats) { emit(.info, message(), LogContext(.stats)) }
    }

    /// The effective configuration, a line for each of its lines: shown with `log_config`.
    package func configuration(_ settings: Settings) {
        guard settings.logConfig else { return }
        for line in settings.description.split(separator: "\n") {
            emit(.info, String(line), LogContext(.config))
        }
    }

    /// Opens the log file anew, after it was moved away (SIGUSR1); see ``LogWriter/reopen()``.
    package func reopen() { writer.reopen() }

    /// Waits until all lines of before are written, for a bounded time; see ``LogWriter/flush(within:)``.
    @discardableResult
    package func flush() -> Bool { writer.flush() }

    /// A fault of the process is told in this log; see ``LogWriter/reportFaults()``.
    package func reportFaults() { writer.reportFaults() }

    /// A logger for one of our libraries: its lines appear in this log, each with the label in front.
    ///
    /// - Parameter isDebugging: shows its debug lines even without `log_debug` at the top: the route concerned has it.
    package func libraryLogger(
        label: String, phase: LogPhase = .pool, isDebugging: Bool = false
    ) -> Logger {
        Logger(label: label) { PoolerLogHandler(self, label: $0, phase: phase, isDebugging: isDebugging) }
    }

    /// Lines lost since the start; see ``LogWriter/lostLines``.
    package var lostLines: Int { writer.lostLines }

    private func wants(_ topic: Topic) -> Bool {
        enabled.load(ordering: .relaxed) & topic.rawValue != 0
    }

    private static func topics(of settings: Settings) -> UInt8 {
        (settings.logDebug ? Topic.debug.rawValue : 0) | (settings.logSession ? Topic.session.rawValue : 0)
            | (settings.logQuery ? Topic.query.rawValue : 0) | (settings.logStats ? Topic.stats.rawValue : 0)
    }

    private func emit(_ level: LogLevel, _ message: String, _ context: LogContext) {
        writer.write(formatter.line(level, message, context), level: level)
    }
}
