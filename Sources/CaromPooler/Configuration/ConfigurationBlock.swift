// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A block as it was found: what it says, and where each thing was said, for the checks that come after reading.
struct ConfigurationBlock<Scope> {
    var value: Scope
    /// Where the block begins.
    let position: ConfigurationPosition
    /// Where each directive was given.
    var given: [String: ConfigurationPosition] = [:]
    /// Something in it could not be read; what seems missing may only be misspelled.
    var isDamaged = false

    init(_ value: Scope, at position: ConfigurationPosition) {
        self.value = value
        self.position = position
    }
}

/// The tokens of one file, being read.
struct ConfigurationCursor {
    private let tokens: [ConfigurationToken]
    private var index = 0
    /// The last string of the file has no end.
    let endsInsideString: Bool
    let file: String

    init(_ output: ConfigurationLexer.Output, file: String) {
        tokens = output.tokens
        endsInsideString = output.endsInsideString
        self.file = file
    }

    /// The token to read next; at the end of the file `.end`, for ever.
    var current: ConfigurationToken { tokens[index] }

    mutating func advance() {
        if index + 1 < tokens.count { index += 1 }
    }

    /// The current token, stepped over.
    mutating func take() -> ConfigurationToken {
        defer { advance() }
        return current
    }

    /// Steps over a block, whatever is in it, however deep; the current token is its `{`.
    mutating func skipBlock() {
        var depth = 0
        repeat {
            switch take().kind {
            case .leftBrace: depth += 1
            case .rightBrace: depth -= 1
            case .end: return
            case .word, .string, .number: break
            }
        } while depth > 0
    }
}
