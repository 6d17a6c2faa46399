// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromReactor
import Glibc

/// The file that holds the number of the pooler's process (`pid_file`).
struct ProcessFile: ~Copyable {
    private let path: String

    /// Writes the file anew.
    ///
    /// - Throws: `SystemError` when it cannot be written.
    init(_ path: String) throws(SystemError) {
        self.path = path
        let operation = "write pid_file \(path)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw SystemError(code: errno, operation: operation) }
        defer { close(descriptor) }
        let text = Array("\(getpid())\n".utf8)
        let count = text.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count != text.count { throw SystemError(code: count < 0 ? errno : ENOSPC, operation: operation) }
    }

    /// Takes the file away.
    deinit { unlink(path) }
}
