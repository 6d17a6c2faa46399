// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Cuts the bytes of a configuration file into tokens, and notes what is no token; never fails, always ends.
struct OdysseyLexer {
    private let bytes: [UInt8]
    private let file: String
    private var index = 0
    private var line = 1
    private var column = 1
    private var tokens: [OdysseyToken] = []
    private var diagnostics: [ConfigurationDiagnostic] = []
    private var endsInsideString = false

    struct Output {
        /// Ends with exactly one `.end`.
        var tokens: [OdysseyToken]
        var diagnostics: [ConfigurationDiagnostic]
        /// The rest of the file was swallowed by a string without end: a missing `}` is then not worth a word.
        var endsInsideString: Bool
    }

    static func tokens(of bytes: [UInt8], file: String) -> Output {
        var lexer = OdysseyLexer(bytes: bytes, file: file)
        lexer.run()
        return Output(
            tokens: lexer.tokens, diagnostics: lexer.diagnostics, endsInsideString: lexer.endsInsideString)
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
    }

    private mutating func run() {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        while index < bytes.count {
            let start = position
            switch bytes[index] {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                advance()
            case UInt8(ascii: "#"):
                while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { advance() }
            case UInt8(ascii: "{"):
                advance()
                tokens.append(OdysseyToken(kind: .leftBrace, position: start))
            case UInt8(ascii: "}"):
                advance()
                tokens.append(OdysseyToken(kind: .rightBrace, position: start))
            case UInt8(ascii: "\""):
                string(from: start)
            case let byte where startsNumber(byte):
                let isBehindQuote = isBehindQuote
                tokens.append(
                    OdysseyToken(
                        kind: .number(run(from: start)), position: start, isBehindQuote: isBehindQuote))
            case let byte where Self.isWordByte(byte):
                let isBehindQuote = isBehindQuote
                tokens.append(
                    OdysseyToken(
                        kind: .word(run(from: start)), position: start, isBehindQuote: isBehindQuote))
            default:
                stray(from: start)
            }
        }
        tokens.append(OdysseyToken(kind: .end, position: position))
    }

    /// A string ends at the next quote that has an even number of backslashes before it, which is where Odyssey ends it.
    /// Backslashes that stand directly before a quote mean one each two, a last odd one makes the quote part of the string;
    /// all others stay. So every string can be written, and Odyssey reads the same unless one ends in backslashes.
    private mutating func string(from start: ConfigurationPosition) {
        advance()
        var content: [UInt8] = []
        var backslashes = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\\") {
                backslashes += 1
            } else {
                if byte == UInt8(ascii: "\"") {
                    content.removeLast((backslashes + 1) / 2)
                    if backslashes.isMultiple(of: 2) { break }
                }
                backslashes = 0
            }
            content.append(byte)
            advance()
        }
        guard index < bytes.count else {
            endsInsideString = true
            report(start, "the string that begins here is never closed")
            return
        }
        advance()
        guard !content.contains(0) else {
            report(start, "a string cannot contain a NUL byte")
            tokens.append(OdysseyToken(kind: .string(""), position: start))
            return
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            report(start, "the string is not valid UTF-8")
            tokens.append(OdysseyToken(kind: .string(""), position: start))
            return
        }
        tokens.append(OdysseyToken(kind: .string(text), position: start))
    }

    /// Takes everything a word or number can consist of; the bytes are ASCII.
    private mutating func run(from start: ConfigurationPosition) -> String {
        let begin = index
        advance()
        while index < bytes.count, Self.isWordByte(bytes[index]) { advance() }
        return String(decoding: bytes[begin..<index], as: UTF8.self)
    }

    private mutating func stray(from start: ConfigurationPosition) {
        let byte = bytes[index]
        advance()
        // The other bytes of a character outside ASCII belong to the same complaint.
        while index < bytes.count, bytes[index] & 0xC0 == 0x80 { advance() }
        switch byte {
        case UInt8(ascii: "'"):
            report(start, "unexpected character '", hint: "strings stand in double quotes")
        case UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: ":"), UInt8(ascii: ","):
            report(
                start, "unexpected character \(Character(Unicode.Scalar(byte)))",
                hint: "a directive is a name and a value, nothing between or behind them")
        case 0x21...0x7E:
            report(start, "unexpected character \(Character(Unicode.Scalar(byte)))")
        default:
            report(start, "unexpected byte 0x\(String(byte, radix: 16, uppercase: true)) outside a string")
        }
    }

    private var isBehindQuote: Bool { index > 0 && bytes[index - 1] == UInt8(ascii: "\"") }

    private func startsNumber(_ byte: UInt8) -> Bool {
        if Self.isDigit(byte) { return true }
        guard byte == UInt8(ascii: "-") || byte == UInt8(ascii: "+"), index + 1 < bytes.count else {
            return false
        }
        return Self.isDigit(bytes[index + 1])
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private var position: ConfigurationPosition {
        ConfigurationPosition(file: file, line: line, column: column)
    }

    /// Steps over one byte; continuation bytes of UTF-8 do not make a column.
    private mutating func advance() {
        if bytes[index] == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if index + 1 >= bytes.count || bytes[index + 1] & 0xC0 != 0x80 {
            column += 1
        }
        index += 1
    }

    private mutating func report(_ position: ConfigurationPosition, _ message: String, hint: String? = nil) {
        diagnostics.append(ConfigurationDiagnostic(.error, at: position, message, hint: hint))
    }
}
