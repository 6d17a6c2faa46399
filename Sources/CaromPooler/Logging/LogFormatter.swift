// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
package import CaromConfiguration
import Glibc

/// Puts lines of one format together.
package struct LogFormatter: Sendable {
    private let format: LogFormat
    private let processID = getpid()

    package init(_ format: LogFormat) { self.format = format }

    /// A line of now and of this thread, with its newline.
    func line(_ level: LogLevel, _ message: String, _ context: LogContext = .system) -> [UInt8] {
        let line = LogLine(
            time: .now(), processID: processID,
            threadID: format.showsThread ? UInt64(truncatingIfNeeded: carom_thread_id()) : 0, level: level,
            context: context, message: message)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + message.utf8.count)
        format.append(line, to: &bytes)
        return bytes
    }
}
