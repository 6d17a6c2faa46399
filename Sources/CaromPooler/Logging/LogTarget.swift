// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromConfiguration
import CaromReactor
import Glibc

/// A place that lines go to, and the calls that bring them there, which may block.
enum LogTarget: Sendable {
    /// Stays open at the end.
    case descriptor(Int32)
    case file(path: String, Int32)
    case syslog

    /// The file at a path, opened for appending.
    static func opening(_ path: String) throws(LogWriter.Failure) -> LogTarget {
        .file(path: path, try open(path))
    }

    /// The system's log, under a name.
    static func openingSyslog(_ ident: String, _ facility: SyslogFacility) -> LogTarget {
        // openlog() keeps the pointer for as long as the process lives, so the name is never freed. The options are
        // LOG_PID and LOG_NDELAY.
        openlog(strdup(ident), 0x01 | 0x08, facility.code)
        return .syslog
    }

    /// What `write(2)` writes to; nil for the system's log.
    var descriptor: Int32? {
        switch self {
        case .descriptor(let descriptor), .file(_, let descriptor): descriptor
        case .syslog: nil
        }
    }

    /// Bytes of lines that are written together: a pipe takes so many in one piece (`PIPE_BUF`), so that lines of several
    /// processes never run into one another.
    var pieceSize: Int {
        switch self {
        case .descriptor, .file: 4096
        case .syslog: 0
        }
    }

    /// Writes whole lines; waits until there is room for them. False: it is not possible.
    func write(_ lines: [UInt8], level: LogLevel) -> Bool {
        carom_log_begin_write()
        defer { carom_log_end_write() }
        guard let descriptor else {
            writeToSyslog(lines, level: level)
            return true
        }
        var written = 0
        while written < lines.count {
            let count = lines.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written)
            }
            if count > 0 {
                written += count
            } else if count < 0, errno == EAGAIN {
                // Somebody else who has this pipe or terminal wants it so.
                var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&room, 1, -1)
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    private func writeToSyslog(_ line: [UInt8], level: LogLevel) {
        var text = line.map { CChar(bitPattern: $0) }
        // The newline ends the line here; what a C function reads ends with a zero.
        text[text.count - 1] = 0
        text.withUnsafeBufferPointer { text in
            withVaList([text.baseAddress!]) { vsyslog(level.syslogPriority, "%s", $0) }
        }
    }

    /// Opens the file anew behind the same descriptor, after it was moved away. When that fails, lines go on into the old one.
    func reopen() throws(LogWriter.Failure) {
        guard case .file(let path, let descriptor) = self else { return }
        let new = try Self.open(path)
        defer { Glibc.close(new) }
        while carom_replace_descriptor(new, descriptor) < 0 {
            guard errno == EINTR || errno == EBUSY else { throw Self.failure(path) }
        }
    }

    func close() {
        switch self {
        case .descriptor: break
        case .file(_, let descriptor): Glibc.close(descriptor)
        case .syslog: closelog()
        }
    }

    private static func open(_ path: String) throws(LogWriter.Failure) -> Int32 {
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw failure(path) }
        return descriptor
    }

    /// Reads `errno`.
    private static func failure(_ path: String) -> LogWriter.Failure {
        LogWriter.Failure(description: SystemError.last("log_file \(quoted(path))").description)
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
