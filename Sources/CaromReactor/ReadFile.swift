// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The whole content of a small file.
///
/// It blocks the thread as files do. A pipe or a device that has nothing to say is not waited for.
///
/// - Parameters:
///   - path: of the file.
///   - limit: the most bytes it may have.
/// - Throws: ``SystemError``: `EFBIG` for a longer file, or what the kernel says, such as `ENOENT` or `EISDIR`.
package func readFile(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 { throw SystemError.last("open \(path)") }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var failure: SystemError?
    withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
        while failure == nil {
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count == 0 { return }
            if count < 0, errno == EINTR { continue }
            if count < 0 {
                failure = SystemError.last("read \(path)")
            } else if content.count + count > limit {
                failure = SystemError(code: EFBIG, operation: "read \(path), limited to \(limit) bytes")
            } else {
                content.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
    }
    if let failure { throw failure }
    return content
}
