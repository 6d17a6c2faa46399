// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// Reads the small text files of the system configuration.
enum SystemFiles {
    /// More than any configuration has; a file that is longer is none.
    private static let largest = 1 << 20

    /// The file's text; nil if it cannot be read or is larger than a megabyte.
    static func text(_ path: String) -> String? {
        (try? readFile(path, limit: largest)).map { String(decoding: $0, as: UTF8.self) }
    }
}
