// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The smallest piece of a configuration that means something.
struct OdysseyToken: Hashable {
    enum Kind: Hashable {
        /// A keyword: a directive, `yes`, `no`, `default`.
        case word(String)
        /// A string with its quotes and `\"` undone.
        case string(String)
        /// Digits with an optional sign and whatever letters follow: `10`, `-1`, `8kb`.
        case number(String)
        case leftBrace
        case rightBrace
        /// The end of the file; comes once, last.
        case end
    }

    var kind: Kind
    var position: ConfigurationPosition
    /// Stands right behind the quote that ends a string. Where quotes are mixed up that is the inside of a string, perhaps of a
    /// secret, so such a word is not repeated in messages.
    var isBehindQuote = false
}

extension OdysseyToken {
    /// The token as a directive's value; `nil` for braces and the end of the file.
    var value: ConfigurationValue? {
        switch kind {
        case .word("yes"): ConfigurationValue(.flag(true), at: position)
        case .word("no"): ConfigurationValue(.flag(false), at: position)
        case .word(let word): ConfigurationValue(.word(word), at: position)
        case .string(let text): ConfigurationValue(.string(text), at: position)
        case .number(let digits): ConfigurationValue(.number(digits), at: position)
        case .leftBrace, .rightBrace, .end: nil
        }
    }

    /// The token as a string that is not empty.
    func text(_ expected: String) throws(ValueError) -> String {
        guard let value else { throw ValueError("expected \(expected), found \(kind.noun)") }
        return try value.text(expected)
    }
}

extension OdysseyToken.Kind {
    /// What an error message calls this token. Strings are not repeated here, because they may be secrets.
    var noun: String {
        switch self {
        case .word(let word): "'\(word)'"
        case .string: "a string"
        case .number(let digits): "'\(digits)'"
        case .leftBrace: "'{'"
        case .rightBrace: "'}'"
        case .end: "the end of the file"
        }
    }

    /// Whether the token can be the value of a directive, as far as one can tell without knowing the directive.
    var looksLikeValue: Bool {
        switch self {
        case .string, .number: true
        case .word(let word): word == "yes" || word == "no" || word == "default"
        case .leftBrace, .rightBrace, .end: false
        }
    }
}
