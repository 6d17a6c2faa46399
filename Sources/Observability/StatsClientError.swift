// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a statistics stream could not be read.
public struct StatsClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One sentence that says what was wrong, and what was expected.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
