// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `log_format`, cut once into what is copied and what is filled in.
package struct LogFormat: Hashable, Sendable {
    /// The format as it was given.
    package let text: String
    package let segments: [Segment]
    /// The format is the word `json`.
    package var isJSON: Bool { text == "json" }

    package enum Segment: Hashable, Sendable {
        case literal([UInt8])
        case field(Field)
    }

    /// What can be filled in; the letter stands behind a `%`.
    package enum Field: Character, CaseIterable, Hashable, Sendable {
        case unixTime = "n"
        case timestamp = "t"
        case milliseconds = "e"
        case processID = "p"
        case threadID = "T"
        case clientID = "i"
        case serverID = "s"
        case user = "u"
        case database = "d"
        case context = "c"
        case level = "l"
        case message = "m"
        case escapedMessage = "M"
        case clientHost = "h"
        case clientPort = "r"
        case serverHost = "H"
        case externalID = "x"
    }

    /// `2018-05-31T20:55:28Z 4711 info [c… s…] (main) text`
    package static let standard: LogFormat = {
        do {
            return try LogFormat("%p %t %l [%i %s] (%c) %m\\n")
        } catch {
            preconditionFailure("the standard log format is wrong: \(error)")
        }
    }()

    /// Compiles a format: `%` and a letter of ``Field``, `%%`, and `\n \t \r \\`; or the word `json`.
    package init(_ text: String) throws(LogFormatError) {
        self.text = text
        guard text != "json" else {
            segments = []
            return
        }
        var segments: [Segment] = []
        var literal: [UInt8] = []
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "%":
                guard let letter = rest.popFirst() else {
                    throw LogFormatError(
                        description: "the format ends behind a %; a percent sign is written %%")
                }
                if letter == "%" {
                    literal.append(UInt8(ascii: "%"))
                } else if let field = Field(rawValue: Character(letter)) {
                    if !literal.isEmpty { segments.append(.literal(literal)) }
                    literal = []
                    segments.append(.field(field))
                } else {
                    let letters = Field.allCases.map { "%\($0.rawValue)" }.joined(separator: " ")
                    throw LogFormatError(
                        description: "unknown escape %\(letter) in the format; allowed: \(letters) %%")
                }
            case "\\":
                switch rest.first {
                case "n": literal.append(UInt8(ascii: "\n"))
                case "t": literal.append(UInt8(ascii: "\t"))
                case "r": literal.append(UInt8(ascii: "\r"))
                case "\\": literal.append(UInt8(ascii: "\\"))
                default:
                    literal.append(UInt8(ascii: "\\"))
                    continue
                }
                rest.removeFirst()
            default:
                literal += Array(String(scalar).utf8)
            }
        }
        // A line ends with its newline, whether the format says so or not.
        if literal.last != UInt8(ascii: "\n") { literal.append(UInt8(ascii: "\n")) }
        segments.append(.literal(literal))
        self.segments = segments
    }
}

/// A mistake in a ``LogFormat``.
package struct LogFormatError: Error, Equatable, CustomStringConvertible {
    package let description: String
}
