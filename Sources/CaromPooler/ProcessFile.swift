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
        try write()
    }

    /// Writes the number of this process, in place of that of another.
    func write() throws(SystemError) {
        let operation = "write pid_file \(path)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw SystemError(code: errno, operation: operation) }
        defer { close(descriptor) }
        let text = Self.text
        let count = text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count != text.count { throw SystemError(code: count < 0 ? errno : ENOSPC, operation: operation) }
    }

    private static var text: [UInt8] { Array("\(getpid())\n".utf8) }

    /// Takes the file away, unless a process that has taken over has put its own number there.
    deinit {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return }
        defer { close(descriptor) }
        var found = [UInt8](repeating: 0, count: 32)
        let count = found.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if count > 0, Array(found[..<count]) == Self.text { unlink(path) }
    }
}
