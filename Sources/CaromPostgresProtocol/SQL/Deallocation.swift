// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A statement `DEALLOCATE [PREPARE] name` in a text.
package struct Deallocation: Equatable, Sendable {
    /// Where the name stands in the text, with its quotes.
    package let nameRange: Range<Int>
    /// The name without quotes; what is not quoted is in lower case, as far as it is ASCII.
    package let name: [UInt8]

    fileprivate init(_ nameRange: Range<Int>, _ name: [UInt8]) {
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
        let found = Deallocations(in: text)
        guard found.statements == 1, let only = found.named.first else { return nil }
        self = only
    }
}

/// What ends prepared statements in a text of one or several statements.
package struct Deallocations: Equatable, Sendable {
    /// What one statement ends.
    package enum Ended: Equatable, Sendable {
        case none
        case one
        /// `DEALLOCATE ALL`
        case all
    }

    /// Those by a name, in their order.
    package private(set) var named: [Deallocation] = []
    /// How many statements there are.
    package private(set) var statements = 0
    package private(set) var endedByLast = Ended.none

    /// Reads `text`, which has no terminating zero byte. There is nothing in it if it cannot be cut into tokens safely.
    package init(in text: RawSpan) {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            read(base.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
    }

    private mutating func read(_ bytes: UnsafePointer<UInt8>, _ count: Int) {
        var tokens = SQLTokenizer(bytes, count: count)
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
            statements += 1
            endedByLast = read(statement, tokens)
            if token.kind == .end { break }
        }
        if tokens.isAmbiguous { (named, statements, endedByLast) = ([], 0, .none) }
    }

    private mutating func read(_ statement: [SQLTokenizer.Token], _ tokens: SQLTokenizer) -> Ended {
        guard let first = statement.first, tokens.isKeyword(first, "deallocate") else { return .none }
        var rest = statement.dropFirst()
        if rest.count == 2, let word = rest.first, tokens.isKeyword(word, "prepare") { rest.removeFirst() }
        guard rest.count == 1, let name = rest.first else { return .none }
        if tokens.isKeyword(name, "all") { return .all }
        guard let text = tokens.name(name), !text.isEmpty else { return .none }
        named.append(Deallocation(name.start..<name.end, text))
        return .one
    }
}
