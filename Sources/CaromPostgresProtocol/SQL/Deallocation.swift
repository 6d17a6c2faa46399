// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A statement `DEALLOCATE [PREPARE] name` in a text.
package struct Deallocation: Equatable, Sendable {
    /// Where the name stands in the text, with its quotes.
    package let nameRange: Range<Int>
    /// The name without quotes; what is not quoted is in lower case, as far as it is ASCII.
    package let name: [UInt8]

    private init(_ nameRange: Range<Int>, _ name: [UInt8]) {
        self.nameRange = nameRange
        self.name = name
    }

    /// The text with another name, in quotes, in the place of this one.
    package func renamed(to name: [UInt8], in text: [UInt8]) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        return text[..<nameRange.lowerBound] + [quote] + name + [quote] + text[nameRange.upperBound...]
    }

    /// The text is such a statement and nothing else. Nil for `DEALLOCATE ALL` too, and for a name in `U&` escapes.
    package init?(_ text: RawSpan) {
        let found = Self.statements(in: text)
        guard found.count == 1, let only = found[0] else { return nil }
        self = only
    }

    /// Those of a text of one or several statements, in their order. None where the text cannot be cut into tokens safely.
    package static func all(in text: RawSpan) -> [Deallocation] { statements(in: text).compactMap { $0 } }

    /// For each statement what it is, or nil for others.
    private static func statements(in text: RawSpan) -> [Deallocation?] {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return [] }
            return statements(base.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
    }

    private static func statements(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> [Deallocation?] {
        var tokens = SQLTokenizer(bytes, count: count)
        var found: [Deallocation?] = []
        while true {
            var token = tokens.next()
            while token.kind == .semicolon { token = tokens.next() }
            if token.kind == .end { break }
            var statement: [SQLTokenizer.Token] = []
            while token.kind != .semicolon, token.kind != .end {
                // A longer one is something else.
                if statement.count < 4 { statement.append(token) }
                token = tokens.next()
            }
            found.append(read(statement, tokens))
            if token.kind == .end { break }
        }
        return tokens.isAmbiguous ? [] : found
    }

    private static func read(
        _ statement: [SQLTokenizer.Token], _ tokens: SQLTokenizer
    ) -> Deallocation? {
        guard let first = statement.first, tokens.isKeyword(first, "deallocate") else { return nil }
        var rest = statement.dropFirst()
        if rest.count == 2, let word = rest.first, tokens.isKeyword(word, "prepare") { rest.removeFirst() }
        guard rest.count == 1, let name = rest.first, !tokens.isKeyword(name, "all") else { return nil }
        guard let text = tokens.name(name), !text.isEmpty else { return nil }
        return Deallocation(name.start..<name.end, text)
    }
}
