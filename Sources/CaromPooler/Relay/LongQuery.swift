// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// The text of a simple query that comes in pieces, as far as it is read.
struct LongQuery {
    private(set) var text: [UInt8]

    /// A longer text is not read to its end: what may be there is taken for the worst.
    private static var longestRead: Int { 1 << 20 }

    /// - Parameter text: what has come of it so far.
    init(_ text: [UInt8]) { self.text = text }

    /// Adds a piece. Behind the last one is a terminator.
    mutating func add(_ range: Range<Int>, isLast: Bool, of chunk: RawSpan) {
        let room = Self.longestRead - text.count
        let read = range.lowerBound..<min(range.upperBound - (isLast ? 1 : 0), range.lowerBound + room)
        if !read.isEmpty { chunk.extracting(read).withUnsafeBytes { text.append(contentsOf: $0) } }
    }

    /// What it may do, when it is here as a whole.
    var effects: StatementEffects {
        var effects = StatementEffects(of: text.span.bytes)
        if text.count >= Self.longestRead { effects.formUnion([.runsCode, .settings, .keeps]) }
        return effects
    }
}
