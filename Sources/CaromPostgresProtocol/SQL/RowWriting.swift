// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Texts that may insert rows, and so advance the sequence of a column's default, which no call of `nextval` in them shows.
package enum RowWriting {
    /// Whether the first statement of the text may. What triggers and the code that it runs do is not seen; doubt is settled towards
    /// rows.
    package static func mayBegin(_ text: RawSpan) -> Bool {
        if text.isEmpty || !mayBegin(with: text.unsafeLoad(as: UInt8.self)) { return false }
        return text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            var tokens = SQLTokenizer(base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
            var token = tokens.next()
            while token.kind == .open || token.kind == .semicolon { token = tokens.next() }
            guard token.kind == .word else { return token.kind != .end }
            return !SQLWords.all.find(tokens.bytes + token.start, token.length, isQuoted: false).addsNoRows
        }
    }

    /// The same of a text with a terminator and whatever stands behind it.
    @inline(__always)
    package static func mayBegin(_ content: [UInt8]) -> Bool {
        guard let first = content.first, mayBegin(with: first) else { return false }
        return mayBegin(content.span.bytes)
    }

    /// Most texts begin with SELECT, SET, SHOW, SAVEPOINT, START or BEGIN, or are empty.
    @inline(__always)
    private static func mayBegin(with first: UInt8) -> Bool {
        first | 0x20 != UInt8(ascii: "s") && first | 0x20 != UInt8(ascii: "b") && first != 0
    }
}
