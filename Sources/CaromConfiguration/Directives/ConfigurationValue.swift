// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The value of a directive as a grammar read it. Directives take these and know nothing of the grammar.
package struct ConfigurationValue: Hashable, Sendable {
    package enum Content: Hashable, Sendable {
        /// A string, with quotes and escapes undone.
        case string(String)
        /// Digits with an optional sign and whatever letters follow, as written: `10`, `-1`, `8kb`.
        case number(String)
        /// A switch.
        case flag(Bool)
        /// A bare word that is none of the above. No directive takes one; it is kept for the message.
        case word(String)
    }

    package var content: Content
    package var position: ConfigurationPosition

    package init(_ content: Content, at position: ConfigurationPosition) {
        self.content = content
        self.position = position
    }

    /// What a message calls the value. Strings are not repeated here, because they may be secrets.
    package var noun: String {
        switch content {
        case .string: "a string"
        case .number(let digits): "'\(digits)'"
        case .flag(let isOn): isOn ? "'yes'" : "'no'"
        case .word(let word): "'\(word)'"
        }
    }

    /// The value as a switch.
    func flag() throws(ValueError) -> Bool {
        switch content {
        case .flag(let isOn): return isOn
        case .string("yes"), .string("no"):
            throw ValueError("expected yes or no, found a string", hint: "yes and no stand without quotes")
        case .word, .string, .number:
            throw ValueError("expected yes or no, found \(noun)")
        }
    }

    /// The value as a string that is not empty.
    func text(_ expected: String = "a string in double quotes") throws(ValueError) -> String {
        switch content {
        case .string(let text):
            guard !text.isEmpty else { throw ValueError("expected \(expected), found an empty string") }
            return text
        case .word(let word):
            throw ValueError(
                "expected \(expected), found \(noun)", hint: "a string would be \(quoted(word))")
        case .flag(let isOn):
            throw ValueError(
                "expected \(expected), found \(noun)",
                hint: "a string would be \(quoted(isOn ? "yes" : "no"))")
        case .number:
            throw ValueError("expected \(expected), found \(noun)")
        }
    }

    /// The value as a whole number in a range.
    func number(
        in range: ClosedRange<Int>, unit: TimeUnit? = nil, or alternative: String? = nil
    ) throws(ValueError) -> Int {
        let expected = range.sentence + (alternative.map { " or \($0)" } ?? "")
        guard case .number(let text) = content else {
            throw ValueError("expected \(expected), found \(noun)")
        }
        guard let number = Int(text) else {
            let digits = text.drop { $0 == "-" || $0 == "+" }
            if digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
                throw ValueError("\(text) is out of range; expected \(expected)")
            }
            throw ValueError(
                "expected \(expected), found '\(text)'",
                hint: unit.map { "the value is in \($0.rawValue) and has no suffix" })
        }
        guard range.contains(number) else {
            throw ValueError("\(number) is out of range; expected \(expected)")
        }
        return number
    }

    /// The value as a number of bytes: a whole number, with a suffix b, k, kb, m, mb, g or gb of steps of 1024 or without.
    func size(in range: ClosedRange<Int>) throws(ValueError) -> Int {
        let expected = "a size from \(range.lowerBound) to \(range.upperBound) bytes"
        guard case .number(let text) = content else {
            throw ValueError("expected \(expected), found \(noun)")
        }
        let digits = text.prefix { !$0.isLetter && $0 != "_" }
        let factor: Int
        switch text.dropFirst(digits.count).lowercased() {
        case "", "b": factor = 1
        case "k", "kb": factor = 1 << 10
        case "m", "mb": factor = 1 << 20
        case "g", "gb": factor = 1 << 30
        default:
            throw ValueError("expected \(expected), found '\(text)'; suffixes are b, k, kb, m, mb, g, gb")
        }
        let size = Int(digits)?.multipliedReportingOverflow(by: factor)
        guard let size, !size.overflow, range.contains(size.partialValue) else {
            throw ValueError("\(text) is out of range; expected \(expected)")
        }
        return size.partialValue
    }
}

/// What is wrong with a directive's value.
struct ValueError: Error, Equatable {
    var message: String
    var hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}

extension ClosedRange<Int> {
    /// The range in words. The largest number of a directive without an upper limit is `Int32.max`.
    var sentence: String {
        upperBound == Int(Int32.max)
            ? "a whole number of at least \(lowerBound)"
            : "a whole number from \(lowerBound) to \(upperBound)"
    }
}

/// A string as Odyssey's grammar writes it: in double quotes, with a backslash before each quote in it. Backslashes
/// directly before a quote or at the end are doubled; all others stay as they are, as the lexer reads them.
package func quoted(_ text: String) -> String {
    var result = "\""
    var backslashes = 0
    for scalar in text.unicodeScalars {
        if scalar == "\\" {
            backslashes += 1
        } else {
            if scalar == "\"" { result += String(repeating: "\\", count: backslashes + 1) }
            backslashes = 0
        }
        result.unicodeScalars.append(scalar)
    }
    return result + String(repeating: "\\", count: backslashes) + "\""
}
