// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Walks along the characters of a line, and knows where it is.
struct LineCursor {
    private let characters: [Unicode.Scalar]
    private let start: ConfigurationPosition
    private var index = 0

    init(_ line: String, at start: ConfigurationPosition) {
        characters = Array(line.unicodeScalars)
        self.start = start
    }

    /// Nil at the end.
    var current: Unicode.Scalar? { index < characters.count ? characters[index] : nil }

    var position: ConfigurationPosition {
        ConfigurationPosition(file: start.file, line: start.line, column: start.column + index)
    }

    mutating func advance() { index += 1 }

    mutating func skip(while condition: (Unicode.Scalar) -> Bool) {
        while let current, condition(current) { advance() }
    }

    mutating func take(while condition: (Unicode.Scalar) -> Bool) -> String {
        let begin = index
        skip(while: condition)
        return text(begin..<index)
    }

    /// Everything up to the end but for white space there.
    mutating func takeRest() -> String {
        let begin = index
        index = characters.count
        var end = index
        while end > begin, Self.isSpace(characters[end - 1]) { end -= 1 }
        return text(begin..<end)
    }

    /// What stands between two quotes, where a quote is written twice; nil if the second one is missing. The first one is the current
    /// character.
    mutating func takeQuoted() -> String? {
        guard let quote = current else { return nil }
        advance()
        var text = String.UnicodeScalarView()
        while let character = current {
            advance()
            if character == quote {
                guard current == quote else { return String(text) }
                advance()
            }
            text.append(character)
        }
        return nil
    }

    private func text(_ range: Range<Int>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: characters[range])
        return String(text)
    }

    /// As the C locale has it.
    static func isSpace(_ character: Unicode.Scalar) -> Bool {
        character == " " || (0x09...0x0D).contains(character.value)
    }

    static func isBlank(_ character: Unicode.Scalar) -> Bool { character == " " || character == "\t" }
}
