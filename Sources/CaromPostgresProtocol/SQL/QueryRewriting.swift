// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Where a query that a server got differs from what its client has sent: an error tells places in the one, and means places in the other.
package struct QueryRewriting: Equatable, Sendable {
    private struct Replacement: Equatable, Sendable {
        /// Behind it, in characters of the server's text.
        let end: Int
        /// By how many characters it is longer than what it stands for.
        let growth: Int
    }

    private var replacements: [Replacement] = []
    /// How many of its statements were `DEALLOCATE` of a name and are done.
    package private(set) var deallocated = 0

    package init() {}

    /// A part at the end of what the client has sent was replaced; those in front of it are known already.
    ///
    /// - Parameters:
    ///   - text: the client's from its beginning to the end of that part.
    ///   - other: what the server gets for it.
    ///   - isUTF8: they are; else a byte is a character, which in Asian encodings holds for ASCII only.
    package mutating func replaced(_ text: RawSpan, by other: RawSpan, isUTF8: Bool) {
        let end = Self.characters(of: other, isUTF8)
        let known = replacements.reduce(0) { $0 + $1.growth }
        replacements.append(
            Replacement(end: end, growth: end - Self.characters(of: text, isUTF8) - known))
    }

    private static func characters(of text: RawSpan, _ isUTF8: Bool) -> Int {
        if !isUTF8 { return text.byteCount }
        return text.withUnsafeBytes { bytes in bytes.count { $0 & 0xc0 != 0x80 } }
    }

    /// The server has done one of its statements.
    ///
    /// - Parameter tag: the body of the CommandComplete.
    package mutating func completed(_ tag: RawSpan) {
        let isDeallocation = tag.withUnsafeBytes { $0.elementsEqual("DEALLOCATE\0".utf8) }
        if isDeallocation { deallocated += 1 }
    }

    /// The error as the client would have been told.
    package func corrected(_ error: ErrorFields) -> ErrorFields {
        // Positions count from 1.
        error.moving(.position) { place in
            replacements.reduce(place) { $1.end < place ? $0 - $1.growth : $0 }
        }
    }
}
