// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// A key of PgBouncer's ini files: what its value may be, and what holds without one.
struct IniKey: Sendable {
    enum Kind: Sendable {
        /// Anything.
        case text
        /// As C reads it: `0x` begins a hexadecimal number, `0` an octal one.
        case number(ClosedRange<Int>)
        /// A number, which is on unless it is 0.
        case flag
        /// Seconds, with decimals if need be.
        case time
        /// One of a few words, in small letters or capitals.
        case word([String])
        /// For libpq's `sslmode` and the lists of OpenSSL.
        case tlsMode
        case tlsProtocols
    }

    let name: String
    let kind: Kind
    /// What holds where nothing is said, as the file would say it; nil where that is something of another section.
    let standard: String?
    /// Why the key does nothing here; nil where it does something.
    var isIgnoredBecause: String?
    /// Another value has no effect before a restart.
    var needsRestart = false
    /// The key that says the same, of which this is another name.
    var canonical: String?
    /// The value never appears in a message.
    var isSecret = false

    init(_ name: String, _ kind: Kind, _ standard: String?) {
        self.name = name
        self.kind = kind
        self.standard = standard
    }

    /// The same without effect.
    func ignored(_ reason: String) -> IniKey {
        var key = self
        key.isIgnoredBecause = reason
        return key
    }

    /// The same as another name of a key.
    func named(_ canonical: String) -> IniKey {
        var key = self
        key.canonical = canonical
        return key
    }

    /// The same, of what is there from the start.
    var restart: IniKey {
        var key = self
        key.needsRestart = true
        return key
    }

    var secret: IniKey {
        var key = self
        key.isSecret = true
        return key
    }

    /// What is wrong with a value.
    func objection(to text: String) -> ValueError? {
        switch kind {
        case .text: return nil
        case .number(let range):
            guard let number = Self.number(text) else {
                return ValueError("expected \(range.sentence), found \(shown(text))")
            }
            return range.contains(number)
                ? nil : ValueError("\(text) is out of range; expected \(range.sentence)")
        case .flag:
            return Self.number(text) == nil ? ValueError("expected 0 or 1, found \(shown(text))") : nil
        case .time:
            guard let seconds = Self.seconds(text) else {
                return ValueError(
                    "expected a number of seconds of at least 0, found \(shown(text))",
                    hint: "the value is in seconds and has no suffix")
            }
            return seconds <= Double(Int32.max) ? nil : ValueError("\(text) is out of range")
        case .word(let words): return words.contains(text.lowercased()) ? nil : Self.unknown(text, words)
        case .tlsMode:
            return Self.tlsModes.contains(text.lowercased()) ? nil : Self.unknown(text, Self.tlsModes)
        case .tlsProtocols:
            do throws(TLSError) {
                _ = try TLSVersions(parsing: text)
                return nil
            } catch {
                return ValueError(error.message)
            }
        }
    }

    private func shown(_ text: String) -> String {
        isSecret ? "something else" : text.isEmpty ? "nothing" : quoted(text)
    }

    private static func unknown(_ text: String, _ words: [String]) -> ValueError {
        let near = nearest(to: text, among: words)
        return ValueError(
            "unknown value \(quoted(text)); allowed: \(words.joined(separator: ", "))",
            hint: near.map { "did you mean \($0)?" })
    }

    static let tlsModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

    /// A whole number with an optional sign, decimal, octal or hexadecimal.
    static func number(_ text: String) -> Int? {
        let isNegative = text.hasPrefix("-")
        let digits = isNegative || text.hasPrefix("+") ? text.dropFirst() : text[...]
        guard digits.first?.isHexDigit == true, digits.allSatisfy(\.isASCII) else { return nil }
        let number: Int? =
            if digits.lowercased().hasPrefix("0x") {
                digits.dropFirst(2).allSatisfy(\.isHexDigit) ? Int(digits.dropFirst(2), radix: 16) : nil
            } else if digits.hasPrefix("0") {
                Int(digits, radix: 8)
            } else {
                Int(digits)
            }
        return number.map { isNegative ? -$0 : $0 }
    }

    /// A number that is not negative.
    static func seconds(_ text: String) -> Double? {
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"),
                UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, let seconds = Double(text), seconds >= 0 else { return nil }
        return seconds
    }
}
