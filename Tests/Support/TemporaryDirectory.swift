// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import FoundationEssentials

/// A directory that is there as long as its object.
package final class TemporaryDirectory: Sendable {
    /// Where it is.
    package let url: URL

    /// Makes an empty directory.
    package init() throws {
        url = FileManager.default.temporaryDirectory.appending(
            path: "carom-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// The path of a file in it.
    package func path(_ name: String) -> String { url.appending(path: name).path }

    /// Writes a file in it.
    package func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: url.appending(path: name))
    }
}
