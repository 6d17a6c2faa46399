// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// A program that runs beside the tests. Its end is its own end, not that of what it leaves running.
package struct Command: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let process: pid_t

    /// Starts a program that reads from `input` and writes to `output`.
    package init(_ arguments: [String], input: Int32, output: Int32) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        let words = arguments.map { strdup($0) }
        defer { for word in words { free(word) } }
        var process = pid_t()
        let code = posix_spawnp(&process, arguments[0], &actions, nil, words + [nil], environ)
        guard code == 0 else {
            throw Failure(
                description: "\(arguments[0]) cannot be started: \(String(cString: strerror(code)))")
        }
        self.process = process
    }

    /// Waits for the end and returns the exit status; −1 for an end by a signal.
    package func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -1
    }

    /// Runs a program to its end and returns what it printed.
    @discardableResult
    package static func run(_ arguments: [String], input: String = "") throws -> String {
        let (stdin, output) = (try temporaryFile(), try temporaryFile())
        defer {
            close(stdin)
            close(output)
        }
        var bytes = Array(input.utf8)
        guard write(stdin, &bytes, bytes.count) == bytes.count, lseek(stdin, 0, SEEK_SET) == 0 else {
            throw Failure(description: "a temporary file cannot be written")
        }
        let status = try Command(arguments, input: stdin, output: output).wait()
        let text = read(output)
        guard status == 0 else {
            throw Failure(description: "\(arguments.joined(separator: " ")) ended with \(status): \(text)")
        }
        return text
    }

    /// Does what blocks on a thread of its own, where it keeps no task waiting.
    package static func besides<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// A file without a name.
    private static func temporaryFile() throws -> Int32 {
        var path = Array("/tmp/carom-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        guard descriptor >= 0 else { throw Failure(description: "no temporary file can be made in /tmp") }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return descriptor
    }

    private static func read(_ descriptor: Int32) -> String {
        var (text, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
        lseek(descriptor, 0, SEEK_SET)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += chunk[..<count]
        }
    }
}
