// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a backend file was not taken over. The last good set stays in force.
public struct FileResolverError: Error, Hashable, CustomStringConvertible {
    /// The line at fault, counted from 1, if it is one.
    public let line: Int?
    /// What is wrong with it.
    public let text: String

    /// Line and text.
    public var description: String { line.map { "line \($0): \(text)" } ?? text }
}
