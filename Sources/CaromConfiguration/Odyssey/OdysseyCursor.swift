// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The tokens of one file, being read.
struct OdysseyCursor {
    private let tokens: [OdysseyToken]
    private var index = 0
    /// The last string of the file has no end.
    let endsInsideString: Bool
    let file: String

    init(_ output: OdysseyLexer.Output, file: String) {
        tokens = output.tokens
        endsInsideString = output.endsInsideString
        self.file = file
    }

    /// The token to read next; at the end of the file `.end`, for ever.
    var current: OdysseyToken { tokens[index] }

    mutating func advance() {
        if index + 1 < tokens.count { index += 1 }
    }

    /// The current token, stepped over.
    mutating func take() -> OdysseyToken {
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
