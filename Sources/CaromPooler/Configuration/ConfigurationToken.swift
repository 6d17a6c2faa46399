// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The smallest piece of a configuration that means something.
struct ConfigurationToken: Hashable {
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

extension ConfigurationToken.Kind {
    /// What an error message calls this token. Strings are not quoted here: they may be secrets.
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
