// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A simple query that ends prepared statements: how far it has come, and where what the server got differs from what its client has
/// sent. An error tells places in the one, and means places in the other.
package struct QueryRewriting: Equatable, Sendable {
    private struct Replacement: Equatable, Sendable {
        /// Behind it, in characters of the server's text.
        let end: Int
        /// By how many characters it is longer than what it stands for.
        let growth: Int
    }

    private var replacements: [Replacement] = []
    private let statements: Int
    private let endedByLast: Deallocations.Ended
    private var done = 0
    /// How many of its statements were `DEALLOCATE` of a name and are done.
    package private(set) var deallocated = 0

    package init(of deallocations: Deallocations) {
        statements = deallocations.statements
        endedByLast = deallocations.endedByLast
    }

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
        done += 1
        let isDeallocation = tag.withUnsafeBytes { $0.elementsEqual("DEALLOCATE\0".utf8) }
        if isDeallocation { deallocated += 1 }
    }

    /// An error has ended it.
    ///
    /// PostgreSQL commits before it tells that the last statement is done. If that fails, as by a deferred constraint, the statement has
    /// run all the same, and what it ended does not come back.
    ///
    /// - Returns: all prepared statements have ended.
    package mutating func failed(_ error: ErrorFields) -> Bool {
        guard endedByLast != .none, done == statements - 1, Self.isOfCommit(error) else { return false }
        if endedByLast == .one { deallocated += 1 }
        return endedByLast == .all
    }

    /// There is no such statement, the transaction had failed before, or it was cancelled: those may come from the DEALLOCATE itself.
    private static func isOfCommit(_ error: ErrorFields) -> Bool {
        switch error.code {
        case .invalidStatementName, .inFailedTransaction, .queryCanceled, .syntaxError: false
        default: true
        }
    }

    /// The error as the client would have been told; nil if it was told that.
    package func corrected(_ error: ErrorFields) -> ErrorFields? {
        if replacements.isEmpty { return nil }
        // Positions count from 1.
        return error.moving(.position) { place in
            replacements.reduce(place) { $1.end < place ? $0 - $1.growth : $0 }
        }
    }
}
