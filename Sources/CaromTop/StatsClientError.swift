// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a statistics stream could not be read.
public struct StatsClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence that says what was wrong, and what was expected.
    public let description: String

    /// The server said goodbye.
    package static let ended = StatsClientError("the stream has ended")
    /// A live table needs a terminal.
    package static let noTerminal = StatsClientError(
        "standard input and output are no terminal; --once and --json need none")

    init(_ description: String) {
        self.description = description
    }
}
