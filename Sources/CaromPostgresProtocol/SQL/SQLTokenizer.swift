// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Cuts SQL text into tokens by the rules of PostgreSQL's `scan.l`.
///
/// It holds a pointer and must not outlive the text. The text may be in any client encoding: bytes from 0x80
/// on belong to names. In some encodings (SJIS, BIG5, GBK) the second byte of a character can be a backslash,
/// a bar or another of `@[\]^`{|}~`; where that would change what follows, the text is ambiguous.
struct SQLTokenizer {
    enum Kind: UInt8 {
        case end, word, quotedName, string, open, close, dot, comma, semicolon, equals, cast
        /// A number, a parameter, a closing bracket: it ends an operand as a name does.
        case operand
        /// A name whose letters are escaped: `U&"…"`.
        case escapedName
        /// Operators and everything else.
        case other
    }

    struct Token {
        var kind: Kind
        var start: Int
        var end: Int

        @inline(__always) var length: Int { end &- start }
        @inline(__always) var isName: Bool { kind == .word || kind == .quotedName || kind == .escapedName }
    }

    let bytes: UnsafePointer<UInt8>
    private let count: Int
    private var position = 0
    /// What follows depends on settings or encodings that are not known here. The text ends at this place.
    private(set) var isAmbiguous = false
    /// A name may go on where this tokenizer saw an operator: `é|f(x)` is a call of `f` or of `é|f`.
    private(set) var mayHaveSplitName = false

    @inline(__always)
    init(_ bytes: UnsafePointer<UInt8>, count: Int) {
        self.bytes = bytes
        self.count = count
    }

    /// The next token; blanks and comments are stepped over.
    @inline(__always)
    mutating func next() -> Token {
        while position < count {
            let start = position
            let byte = bytes[start]
            if SQLBytes.belongsToName(byte) { return wordOrNumber(from: start) }
            position = start &+ 1
            if SQLBytes.isBlank(byte) { continue }
            let kind: Kind
            switch byte {
            case UInt8(ascii: ","): kind = .comma
            case UInt8(ascii: "("): kind = .open
            case UInt8(ascii: ")"): kind = .close
            case UInt8(ascii: "."): kind = .dot
            case UInt8(ascii: ";"): kind = .semicolon
            case UInt8(ascii: "="): kind = .equals
            case UInt8(ascii: "]"): kind = .operand
            case UInt8(ascii: "'"):
                return token(.string, from: start, to: endOfString(from: start))
            case UInt8(ascii: "\""):
                return token(.quotedName, from: start, to: endOfQuotedName(from: start))
            case UInt8(ascii: ":") where self.byte(after: start) == UInt8(ascii: ":"):
                kind = .cast
                position = start &+ 2
            case UInt8(ascii: "-") where self.byte(after: start) == UInt8(ascii: "-"):
                position = endOfLine(from: start)
                continue
            case UInt8(ascii: "/") where self.byte(after: start) == UInt8(ascii: "*"):
                position = endOfComment(from: start)
                continue
            default: kind = .other
            }
            return Token(kind: kind, start: start, end: position)
        }
        return Token(kind: .end, start: count, end: count)
    }

    /// Whether `token` is the keyword `text`, in any case. A quoted name is no keyword.
    @inline(__always)
    func isKeyword(_ token: Token, _ text: StaticString) -> Bool {
        token.kind == .word && token.length == text.utf8CodeUnitCount && hasPrefix(token, text)
    }

    /// Whether a name, after folding, is or begins with `text`, which is in lower case.
    func hasPrefix(_ token: Token, _ text: StaticString) -> Bool {
        let fold: UInt8 = token.kind == .word ? 0x20 : 0
        let start = token.kind == .word ? token.start : token.start &+ 1
        guard start &+ text.utf8CodeUnitCount <= token.end else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            // Folded like this, `_` is 0x7f, on both sides.
            if bytes[start &+ index] | fold != text.utf8Start[index] | fold { return false }
        }
        return true
    }

    /// Whether the token is the plain literal `'text'`, in any case.
    func isLiteral(_ token: Token, _ text: StaticString) -> Bool {
        guard isPlainLiteral(token), token.length == text.utf8CodeUnitCount &+ 2 else { return false }
        for index in 0..<text.utf8CodeUnitCount {
            let byte = bytes[token.start &+ 1 &+ index]
            if (byte &- 0x41 < 26 ? byte | 0x20 : byte) != text.utf8Start[index] { return false }
        }
        return true
    }

    /// Whether the token is a literal without prefix. Its text may still have doubled quotes.
    func isPlainLiteral(_ token: Token) -> Bool {
        token.kind == .string && bytes[token.start] == UInt8(ascii: "'")
    }

    /// The tokens up to the next semicolon; nil at the end of the text.
    mutating func nextStatement() -> [Token]? {
        var token = next()
        while token.kind == .semicolon { token = next() }
        if token.kind == .end { return nil }
        var statement: [Token] = []
        while token.kind != .semicolon, token.kind != .end {
            statement.append(token)
            token = next()
        }
        return statement
    }

    /// The name that a token stands for: without quotes, or in lower case as far as it is ASCII. Nil for what is no name, and for
    /// one in `U&` escapes.
    func name(_ token: Token) -> [UInt8]? {
        switch token.kind {
        case .word: text(of: token).map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
        case .quotedName: unquoted(token)
        default: nil
        }
    }

    /// The text of a literal without prefix; nil for others. What a backslash in it means is not known here.
    func literal(_ token: Token) -> [UInt8]? { isPlainLiteral(token) ? unquoted(token) : nil }

    private func text(of token: Token) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: bytes + token.start, count: token.length)
    }

    private func unquoted(_ token: Token) -> [UInt8] {
        let text = text(of: token)
        var name: [UInt8] = []
        var index = 1
        while index < text.count - 1 {
            name.append(text[index])
            index += text[index] == text[0] ? 2 : 1
        }
        return name
    }

    // MARK: Kinds of tokens

    // Those that look for an end return it and change nothing, so that the position can stay in a register.

    /// The end of what depends on what is not known here.
    private static var ambiguous: Int { -1 }

    /// The end of what has none. The server refuses such text as a whole, before it runs any of it.
    private var missing: Int { count &+ 1 }

    /// A token with an end that was looked for; the last one if there is none.
    @inline(__always)
    private mutating func token(_ kind: Kind, from start: Int, to end: Int) -> Token {
        if UInt(bitPattern: end) > UInt(bitPattern: count) {
            if end == Self.ambiguous { isAmbiguous = true }
            position = count
            return Token(kind: .end, start: count, end: count)
        }
        position = end
        return Token(kind: kind, start: start, end: end)
    }

    /// The byte after `index`, or zero at the end.
    @inline(__always)
    private func byte(after index: Int) -> UInt8 { index &+ 1 < count ? bytes[index &+ 1] : 0 }

    /// What begins with a byte that may stand in a name.
    @inline(__always)
    private mutating func wordOrNumber(from start: Int) -> Token {
        var index = start &+ 1
        if SQLBytes.isDigit(bytes[start]) {
            while index < count, SQLBytes.isDigit(bytes[index]) { index &+= 1 }
            position = index
            return Token(kind: .operand, start: start, end: index)
        }
        if bytes[start] == UInt8(ascii: "$") {
            let (kind, end) = dollar(from: start)
            return token(kind, from: start, to: end)
        }
        // Sixteen bytes at once: most names are shorter, and a loop that ends anywhere is hard to predict.
        if start &+ 17 <= count {
            let length = SQLBytes.nameLength(bytes + index)
            index &+= length
            if length == 16 {
                while index < count, SQLBytes.belongsToName(bytes[index]) { index &+= 1 }
            }
        } else {
            while index < count, SQLBytes.belongsToName(bytes[index]) { index &+= 1 }
        }
        position = index
        if index < count {
            let following = bytes[index]
            if index == start &+ 1, following == UInt8(ascii: "'") || following == UInt8(ascii: "&") {
                let (kind, end) = prefixed(from: start)
                return token(kind, from: start, to: end)
            }
            if bytes[index &- 1] >= 0x80, SQLBytes.maySplitName(following) { mayHaveSplitName = true }
        }
        return Token(kind: .word, start: start, end: index)
    }

    /// `E'…'` and `U&"…"`, or a word. Other prefixes (`B`, `X`, `N`, `U&'`) change nothing about where a literal
    /// ends.
    private func prefixed(from start: Int) -> (Kind, end: Int) {
        switch bytes[start] | 0x20 {
        case UInt8(ascii: "e") where bytes[start &+ 1] == UInt8(ascii: "'"):
            (.string, endOfEscapeString(from: start))
        case UInt8(ascii: "u")
        where bytes[start &+ 1] == UInt8(ascii: "&") && byte(after: start &+ 1) == 0x22:
            (.escapedName, endOfQuotedName(from: start &+ 2))
        default: (.word, start &+ 1)
        }
    }

    /// `'…'`. A backslash before a quote escapes it or not, depending on `standard_conforming_strings`.
    private func endOfString(from start: Int) -> Int {
        var index = start &+ 1
        while index < count {
            if bytes[index] == UInt8(ascii: "'") {
                if bytes[index &- 1] == UInt8(ascii: "\\") { return Self.ambiguous }
                if byte(after: index) != UInt8(ascii: "'") { return index &+ 1 }
                index &+= 1
            }
            index &+= 1
        }
        return missing
    }

    /// `E'…'`, where a backslash takes the next byte with it.
    private func endOfEscapeString(from start: Int) -> Int {
        var index = start &+ 2
        // Where the `E` may end a longer name, the literal may be a plain one.
        let isCertain = !followsSplitName(start)
        while index < count {
            switch bytes[index] {
            case UInt8(ascii: "\\"):
                // After a byte of another encoding this may be the second byte of a character.
                var run = index
                while run < count, bytes[run] == UInt8(ascii: "\\") { run &+= 1 }
                if run < count, bytes[run] == UInt8(ascii: "'"), bytes[index &- 1] >= 0x80 || !isCertain {
                    return Self.ambiguous
                }
                index = (run &- index) & 1 == 0 ? run : run &+ 1
            case UInt8(ascii: "'"):
                if byte(after: index) != UInt8(ascii: "'") { return index &+ 1 }
                index &+= 2
            default: index &+= 1
            }
        }
        return missing
    }

    private func endOfQuotedName(from quote: Int) -> Int {
        var index = quote &+ 1
        while index < count {
            if bytes[index] == UInt8(ascii: "\"") {
                if byte(after: index) != UInt8(ascii: "\"") { return index &+ 1 }
                index &+= 1
            }
            index &+= 1
        }
        return missing
    }

    /// `$1`, `$$…$$`, `$tag$…$tag$`, or a lone sign.
    private func dollar(from start: Int) -> (Kind, end: Int) {
        var index = start &+ 1
        if SQLBytes.isDigit(byte(after: start)) {
            while index < count, SQLBytes.isDigit(bytes[index]) { index &+= 1 }
            return (.operand, index)
        }
        while index < count, bytes[index] != UInt8(ascii: "$"), SQLBytes.belongsToName(bytes[index]) {
            index &+= 1
        }
        guard index < count else { return (.other, start &+ 1) }
        guard bytes[index] == UInt8(ascii: "$") else {
            let isSplit = bytes[index &- 1] >= 0x80 && SQLBytes.maySplitName(bytes[index])
            return (.other, isSplit ? Self.ambiguous : start &+ 1)
        }
        if followsSplitName(start) { return (.other, Self.ambiguous) }
        let length = index &+ 1 &- start
        index &+= 1
        while index &+ length <= count {
            if bytes[index] == UInt8(ascii: "$"), isSame(start, index, length) {
                return (.string, index &+ length)
            }
            index &+= 1
        }
        return (.string, missing)
    }

    private func isSame(_ one: Int, _ other: Int, _ length: Int) -> Bool {
        for offset in 0..<length where bytes[one &+ offset] != bytes[other &+ offset] { return false }
        return true
    }

    /// Whether what begins at `index` may belong to a name: a byte from 0x80 on, then one that can be the second
    /// of a character, stand before it.
    private func followsSplitName(_ index: Int) -> Bool {
        index >= 2 && bytes[index &- 2] >= 0x80 && SQLBytes.maySplitName(bytes[index &- 1])
    }

    // MARK: Comments

    private func endOfLine(from start: Int) -> Int {
        var index = start &+ 2
        while index < count, bytes[index] != 0x0a, bytes[index] != 0x0d { index &+= 1 }
        return index
    }

    /// Comments nest.
    private func endOfComment(from start: Int) -> Int {
        var depth = 1
        var index = start &+ 2
        while index < count {
            switch (bytes[index], byte(after: index)) {
            case (UInt8(ascii: "*"), UInt8(ascii: "/")):
                depth &-= 1
                index &+= 2
                if depth == 0 { return index }
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                depth &+= 1
                index &+= 2
            default: index &+= 1
            }
        }
        return missing
    }
}

/// What single bytes are.
enum SQLBytes {
    /// A one for every byte that may stand in a name after its first: `$`, digits, letters, `_`, 0x80 and more.
    private static let names: StaticString = """
        0000000000000000000000000000000000001000000000001111111111000000\
        0111111111111111111111111110000101111111111111111111111111100000\
        1111111111111111111111111111111111111111111111111111111111111111\
        1111111111111111111111111111111111111111111111111111111111111111
        """

    @inline(__always)
    static func belongsToName(_ byte: UInt8) -> Bool { names.utf8Start[Int(byte)] == 0x31 }

    /// How many of the 16 bytes from `bytes` on, up to the first that may not, may stand in a name.
    @inline(__always)
    static func nameLength(_ bytes: UnsafePointer<UInt8>) -> Int {
        typealias Block = SIMD16<UInt8>
        let block = UnsafeRawPointer(bytes).loadUnaligned(as: Block.self)
        let letters = (block | 0x20) &- UInt8(ascii: "a") .< Block(repeating: 26)
        let digits = block &- UInt8(ascii: "0") .< Block(repeating: 10)
        let signs =
            block .== Block(repeating: UInt8(ascii: "_")) .| block .== Block(repeating: UInt8(ascii: "$"))
        let names = letters .| digits .| signs .| block .>= Block(repeating: 0x80)
        let others = ~unsafeBitCast(names, to: SIMD2<UInt64>.self)
        let low = UInt64(littleEndian: others[0])
        if low != 0 { return low.trailingZeroBitCount &>> 3 }
        return 8 &+ UInt64(littleEndian: others[1]).trailingZeroBitCount &>> 3
    }

    /// Whether the byte is no part of a name, but can be the second byte of a character.
    @inline(__always)
    static func maySplitName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x40, 0x5b...0x5e, 0x60, 0x7b...0x7e: true
        default: false
        }
    }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }
}
