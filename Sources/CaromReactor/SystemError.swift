// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// A failed system call: which one, and the kernel's error number.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The value of `errno` right after the call.
    public let code: Int32
    /// What was tried, for people: `connect 127.0.0.1:5432`.
    public let operation: String

    /// An error with a known number, for example `ETIMEDOUT` for a wait that ended at its deadline.
    public init(code: Int32, operation: String) {
        self.code = code
        self.operation = operation
    }

    /// Reads `errno`; call it directly after the failed call, before anything else can run.
    package static func last(_ operation: @autoclosure () -> String) -> SystemError {
        let code = errno
        return SystemError(code: code, operation: operation())
    }

    /// `connect 127.0.0.1:5432: Connection refused`.
    public var description: String { "\(operation): \(reason)" }

    /// The kernel's sentence for `code`.
    public var reason: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            String(cString: carom_error_text(code, buffer.baseAddress, buffer.count))
        }
    }
}
