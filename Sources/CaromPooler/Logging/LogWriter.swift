// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
package import CaromConfiguration
import CaromReactor
import Glibc
import Synchronization

/// Puts finished lines where they belong: standard output, a file, the system's log.
///
/// There is no lock: a line is one `write(2)`, which appends in one piece, and opening the file again swaps the file
/// behind the same descriptor. A line that cannot be written is lost and counted, never waited for longer than the
/// system call takes.
package final class LogWriter: Sendable {
    private let descriptors: [Int32]
    private let file: File?
    private let usesSyslog: Bool
    private let lost = Atomic<Int>(0)

    private struct File {
        var path: String
        var descriptor: Int32
    }

    /// The log file cannot be opened.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Opens what the settings name.
    package convenience init(_ settings: Settings) throws(Failure) {
        try self.init(
            descriptors: settings.logToStdout ? [STDOUT_FILENO] : [], path: settings.logFile,
            syslog: settings.logSyslog ? (settings.logSyslogIdent, settings.logSyslogFacility) : nil)
    }

    /// Writes to descriptors, which stay the caller's, to a file at a path, and to the system's log.
    package init(
        descriptors: [Int32], path: String? = nil, syslog: (ident: String, facility: SyslogFacility)? = nil
    ) throws(Failure) {
        self.descriptors = descriptors
        if let path {
            file = File(path: path, descriptor: try Self.open(path))
        } else {
            file = nil
        }
        usesSyslog = syslog != nil
        if let syslog {
            // openlog() keeps the pointer for as long as the process lives, so the name is never freed. The options are
            // LOG_PID and LOG_NDELAY.
            openlog(strdup(syslog.ident), 0x01 | 0x08, syslog.facility.code)
        }
    }

    deinit {
        if let file { close(file.descriptor) }
        if usesSyslog { closelog() }
    }

    /// Lines that could not be written since the start, each destination counted on its own.
    package var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Opens the log file anew, after it was moved away (SIGUSR1). When that fails, lines go on into the old file.
    package func reopen() throws(Failure) {
        guard let file else { return }
        let new = try Self.open(file.path)
        defer { close(new) }
        while carom_replace_descriptor(new, file.descriptor) < 0 {
            guard errno == EINTR || errno == EBUSY else {
                throw Failure(description: SystemError.last("log_file \(quoted(file.path))").description)
            }
        }
    }

    /// Writes a line, which ends with a newline.
    func write(_ line: [UInt8], level: LogLevel) {
        for descriptor in descriptors { write(line, to: descriptor) }
        if let file { write(line, to: file.descriptor) }
        if usesSyslog { writeToSyslog(line, level: level) }
    }

    private func write(_ line: [UInt8], to descriptor: Int32) {
        var written = 0
        while written < line.count {
            let count = line.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                lost.add(1, ordering: .relaxed)
                return
            }
            written += count
        }
    }

    private func writeToSyslog(_ line: [UInt8], level: LogLevel) {
        var text = line.map { CChar(bitPattern: $0) }
        // The newline ends the line here; what a C function reads ends with a zero.
        text[text.count - 1] = 0
        text.withUnsafeBufferPointer { text in
            withVaList([text.baseAddress!]) { vsyslog(level.syslogPriority, "%s", $0) }
        }
    }

    private static func open(_ path: String) throws(Failure) -> Int32 {
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw Failure(description: SystemError.last("log_file \(quoted(path))").description)
        }
        return descriptor
    }
}

extension LogLevel {
    /// The number of `<syslog.h>`.
    fileprivate var syslogPriority: Int32 {
        switch self {
        case .fatal: LOG_CRIT
        case .error: LOG_ERR
        case .info: LOG_INFO
        case .debug: LOG_DEBUG
        }
    }
}
