// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Reads the small text files of the system configuration.
enum SystemFiles {
    /// The file's text; nil if it cannot be read or is larger than a megabyte.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= 1 << 20 {
            let count = read(descriptor, &part, part.count)
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            bytes += part.prefix(count)
        }
        return nil
    }
}
