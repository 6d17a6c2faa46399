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
            return beginsHere(&tokens)
        }
    }

    private static func beginsHere(_ tokens: inout SQLTokenizer) -> Bool {
        while true {
            var token = tokens.next()
            while token.kind == .open || token.kind == .semicolon { token = tokens.next() }
            guard token.kind == .word else { return token.kind != .end }
            let word = SQLWords.all.find(tokens.bytes + token.start, token.length, isQuoted: false)
            switch word.lead {
            case .copy: return copyMay(tokens)
            case .explain: if !isRun(&tokens) { return false }
            default: return !word.addsNoRows
            }
        }
    }

    /// Whether a COPY, of which the first word is read, may insert rows: `FROM` a file or the client, or by the query in its parentheses.
    static func copyMay(_ tokens: SQLTokenizer) -> Bool {
        var tokens = tokens
        var token = tokens.next()
        if token.kind == .open { return beginsHere(&tokens) }
        while token.kind != .end, token.kind != .semicolon {
            if tokens.isKeyword(token, "to") { return false }
            token = tokens.next()
            if tokens.isKeyword(token, "from") { return true }
        }
        return false
    }

    /// Whether an EXPLAIN runs what it explains, at which the tokens stand then.
    private static func isRun(_ tokens: inout SQLTokenizer) -> Bool {
        var ahead = tokens
        var token = ahead.next()
        var isRun = false
        let hasOptions = token.kind == .open
        while hasOptions ? token.kind != .close : isOption(token, ahead) {
            if token.kind == .end { return false }
            if ahead.isKeyword(token, "analyze") || ahead.isKeyword(token, "analyse") { isRun = true }
            if !hasOptions { tokens = ahead }
            token = ahead.next()
        }
        // In parentheses there may be the statement itself, which analyzes nothing.
        if hasOptions { tokens = ahead }
        return isRun
    }

    private static func isOption(_ token: SQLTokenizer.Token, _ tokens: SQLTokenizer) -> Bool {
        tokens.isKeyword(token, "analyze") || tokens.isKeyword(token, "analyse")
            || tokens.isKeyword(token, "verbose")
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
