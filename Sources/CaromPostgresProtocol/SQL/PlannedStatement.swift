// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A statement that PostgreSQL plans: the shape of its rows is fixed when it is parsed (`RevalidateCachedQuery`), unlike that of
/// `EXECUTE`, `FETCH` or `CALL`, which is what it runs at the time.
package enum PlannedStatement {
    private static let words: Set<String> = [
        "select", "insert", "update", "delete", "merge", "with", "values", "table",
    ]

    /// Whether the first statement of a text is one, by its first word.
    package static func begins(_ text: RawSpan) -> Bool { words.contains(firstWord(of: text)) }

    /// Whether the first statement of a text is a `FETCH`.
    package static func isFetch(_ text: RawSpan) -> Bool { firstWord(of: text) == "fetch" }

    /// In lower case; empty if it is no word, or a longer one.
    private static func firstWord(of text: RawSpan) -> String {
        text.withUnsafeBytes { text in
            guard let base = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return "" }
            var tokens = SQLTokenizer(base, count: text.count)
            var token = tokens.next()
            while token.kind == .open { token = tokens.next() }
            guard token.kind == .word, token.length <= 6 else { return "" }
            let word = UnsafeBufferPointer(start: base + token.start, count: token.length)
            return String(decoding: word, as: UTF8.self).lowercased()
        }
    }
}
