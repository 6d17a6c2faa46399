// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ConfigurationToken.Kind {
    /// The value as `yes` or `no`.
    func flag() throws(ValueProblem) -> Bool {
        switch self {
        case .word("yes"): return true
        case .word("no"): return false
        case .string("yes"), .string("no"):
            throw ValueProblem("expected yes or no, found a string", hint: "yes and no stand without quotes")
        case .word, .string, .number, .leftBrace, .rightBrace, .end:
            throw ValueProblem("expected yes or no, found \(noun)")
        }
    }

    /// The value as a string with something in it.
    func text(_ expected: String = "a string in double quotes") throws(ValueProblem) -> String {
        switch self {
        case .string(let text):
            guard !text.isEmpty else { throw ValueProblem("expected \(expected), found an empty string") }
            return text
        case .word(let word):
            throw ValueProblem(
                "expected \(expected), found \(noun)", hint: "a string would be \(quoted(word))")
        case .number, .leftBrace, .rightBrace, .end:
            throw ValueProblem("expected \(expected), found \(noun)")
        }
    }

    /// The value as a whole number in a range.
    func number(
        in range: ClosedRange<Int>, unit: TimeUnit? = nil, or alternative: String? = nil
    ) throws(ValueProblem) -> Int {
        let expected = range.sentence + (alternative.map { " or \($0)" } ?? "")
        guard case .number(let text) = self else {
            throw ValueProblem("expected \(expected), found \(noun)")
        }
        guard let number = Int(text) else {
            let digits = text.drop { $0 == "-" || $0 == "+" }
            if digits.allSatisfy({ $0.isASCII && $0.isNumber }) {
                throw ValueProblem("\(text) is out of range; expected \(expected)")
            }
            throw ValueProblem(
                "expected \(expected), found '\(text)'",
                hint: unit.map { "the value is in \($0.rawValue) and has no suffix" })
        }
        guard range.contains(number) else {
            throw ValueProblem("\(number) is out of range; expected \(expected)")
        }
        return number
    }

    /// The value as a number of bytes: a whole number, with a suffix b, k, kb, m, mb, g or gb of steps of 1024 or without.
    func size(in range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        let expected = "a size from \(range.lowerBound) to \(range.upperBound) bytes"
        guard case .number(let text) = self else { throw ValueProblem("expected \(expected), found \(noun)") }
        let digits = text.prefix { !$0.isLetter && $0 != "_" }
        let factor: Int
        switch text.dropFirst(digits.count).lowercased() {
        case "", "b": factor = 1
        case "k", "kb": factor = 1 << 10
        case "m", "mb": factor = 1 << 20
        case "g", "gb": factor = 1 << 30
        default:
            throw ValueProblem("expected \(expected), found '\(text)'; suffixes are b, k, kb, m, mb, g, gb")
        }
        let size = Int(digits)?.multipliedReportingOverflow(by: factor)
        guard let size, !size.overflow, range.contains(size.partialValue) else {
            throw ValueProblem("\(text) is out of range; expected \(expected)")
        }
        return size.partialValue
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

/// A string as the grammar writes it. Only a quote needs a backslash; a backslash and the character behind it belong
/// together and stay as they are, which is how the lexer reads them.
func quoted(_ text: String) -> String {
    var result = "\""
    var afterBackslash = false
    for character in text.unicodeScalars {
        if character == "\"", !afterBackslash { result.append("\\") }
        result.unicodeScalars.append(character)
        afterBackslash = character == "\\" && !afterBackslash
    }
    return result + "\""
}
