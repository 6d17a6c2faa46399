// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
package import CaromConfiguration
import CaromReactor
import Glibc

/// Puts finished lines where they belong: standard output, a file, the system's log.
///
/// Whoever has a line puts it into a queue and goes on. Each destination has a thread that writes (``LogSink``). A line that
/// does not fit into the queue or cannot be written is lost, which is counted, and told by a line as soon as one can be written.
package final class LogWriter: Sendable {
    private let sinks: [LogSink]
    private let descriptors: [Int32]

    /// The log cannot be opened.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Opens what the settings name.
    package convenience init(_ settings: Settings) throws(Failure) {
        try self.init(
            descriptors: settings.logToStdout ? [STDOUT_FILENO] : [], path: settings.logFile,
            syslog: settings.logSyslog ? (settings.logSyslogIdent, settings.logSyslogFacility) : nil,
            LogFormatter(settings.logFormat))
    }

    /// Writes to descriptors, which stay the caller's, to a file at a path, and to the system's log.
    ///
    /// - Parameter formatter: makes the lines that tell of lost ones.
    package init(
        descriptors: [Int32], path: String? = nil, syslog: (ident: String, facility: SyslogFacility)? = nil,
        _ formatter: LogFormatter = LogFormatter(.standard), queueLimit: Int = LogSink.queueLimit
    ) throws(Failure) {
        var targets = descriptors.map(LogTarget.descriptor)
        if let path { targets.append(try .opening(path)) }
        if let syslog { targets.append(.openingSyslog(syslog.ident, syslog.facility)) }
        self.descriptors = targets.compactMap(\.descriptor)
        var sinks: [LogSink] = []
        for (index, target) in targets.enumerated() {
            do throws(SystemError) {
                sinks.append(try LogSink(target, formatter, limit: queueLimit))
            } catch {
                for sink in sinks { sink.end() }
                for target in targets[index...] { target.close() }
                throw Failure(description: "a thread for the log: \(error)")
            }
        }
        self.sinks = sinks
    }

    deinit {
        for sink in sinks { sink.end() }
    }

    /// Lines that were lost since the start, each destination counted on its own.
    package var lostLines: Int { sinks.reduce(0) { $0 + $1.lostLines } }

    /// Opens the log file anew, after it was moved away (SIGUSR1): lines from now on go there. When that fails, the old file says
    /// so and goes on.
    package func reopen() {
        for sink in sinks { sink.reopen() }
    }

    /// Writes a line, which ends with a newline. Never waits; from any thread.
    func write(_ line: [UInt8], level: LogLevel) {
        for sink in sinks { sink.write(line, level: level) }
    }

    /// Waits until all lines of before are where they belong. False: that took longer than the limit. It blocks: for the end
    /// of the process, and for tests.
    @discardableResult
    package func flush(within limit: Duration = LogWriter.patience) -> Bool {
        let done = SystemSemaphore()
        for sink in sinks { sink.tell(done) }
        let deadline = Deadline.now + limit
        return sinks.allSatisfy { _ in done.wait(until: deadline) }
    }

    /// How long the end of the process waits for those who read the log.
    package static let patience = Duration.seconds(1)

    /// From now on a fault of the process is told where lines go, behind those that wait, and on standard error where there
    /// is no other place for it. For the one log of a process.
    package func reportFaults() {
        let text = "carom \(CaromVersion.number)"
        var places = descriptors
        if places.isEmpty { places = [STDERR_FILENO] }
        carom_report_faults(text, places, Int32(clamping: places.count))
    }
}
