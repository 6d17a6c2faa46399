// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// One word of a statement.
struct ConsoleWord: Equatable, Sendable {
    let text: String
    /// It stood in quotes, so it is a name or a value and no keyword.
    var isQuoted = false

    /// Whether it is this keyword, in any case.
    func isKeyword(_ lowercase: String) -> Bool {
        !isQuoted && text.utf8.count == lowercase.utf8.count && text.lowercased() == lowercase
    }
}

extension [ConsoleWord] {
    /// Whether they are these keywords and nothing else.
    func spell(_ keywords: String...) -> Bool {
        count == keywords.count && zip(self, keywords).allSatisfy { $0.isKeyword($1) }
    }
}

/// Takes the text of a query apart: statements at `;`, words at spaces, with SQL's quotes and comments.
///
/// `=`, `,`, `(` and `)` are words of their own. Statements without words are left out.
struct ConsoleWords {
    private let text: [Unicode.Scalar]
    private var position = 0

    private init(_ text: String) { self.text = Array(text.unicodeScalars) }

    /// The statements of a query.
    ///
    /// - Throws: 42601 for a quote or comment that does not end.
    static func statements(in query: String) throws(ConsoleError) -> [[ConsoleWord]] {
        var reader = ConsoleWords(query)
        var statements: [[ConsoleWord]] = []
        var words: [ConsoleWord] = []
        while let scalar = reader.peek() {
            switch scalar {
            case ";":
                reader.position += 1
                if !words.isEmpty { statements.append(words) }
                words = []
            case " ", "\t", "\n", "\r", "\u{0B}", "\u{0C}": reader.position += 1
            case "=", ",", "(", ")":
                reader.position += 1
                words.append(ConsoleWord(text: String(scalar)))
            case "'", "\"": words.append(try reader.quoted(by: scalar))
            case "-" where reader.peek(1) == "-": reader.skipLine()
            case "/" where reader.peek(1) == "*": try reader.skipComment()
            default: words.append(reader.bare())
            }
        }
        if !words.isEmpty { statements.append(words) }
        return statements
    }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? {
        position + ahead < text.count ? text[position + ahead] : nil
    }

    /// A doubled quote stands for one.
    private mutating func quoted(by quote: Unicode.Scalar) throws(ConsoleError) -> ConsoleWord {
        var content = String.UnicodeScalarView()
        position += 1
        while let scalar = peek() {
            position += 1
            if scalar == quote {
                guard peek() == quote else { return ConsoleWord(text: String(content), isQuoted: true) }
                position += 1
            }
            content.append(scalar)
        }
        throw ConsoleError(.syntaxError, "a quote is not closed")
    }

    private mutating func bare() -> ConsoleWord {
        let start = position
        while let scalar = peek(), !Self.endsWord(scalar) {
            if position > start, scalar == "-", peek(1) == "-" { break }
            if position > start, scalar == "/", peek(1) == "*" { break }
            position += 1
        }
        var content = String.UnicodeScalarView()
        content.append(contentsOf: text[start..<position])
        return ConsoleWord(text: String(content))
    }

    private static func endsWord(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case ";", " ", "\t", "\n", "\r", "\u{0B}", "\u{0C}", "=", ",", "(", ")", "'", "\"": true
        default: false
        }
    }

    private mutating func skipLine() {
        while let scalar = peek(), scalar != "\n" { position += 1 }
    }

    /// Comments nest, as in PostgreSQL.
    private mutating func skipComment() throws(ConsoleError) {
        var depth = 0
        repeat {
            guard let scalar = peek() else {
                throw ConsoleError(.syntaxError, "a comment is not closed")
            }
            if scalar == "/", peek(1) == "*" {
                depth += 1
                position += 2
            } else if scalar == "*", peek(1) == "/" {
                depth -= 1
                position += 2
            } else {
                position += 1
            }
        } while depth > 0
    }
}
