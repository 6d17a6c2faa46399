// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What can be wrong with bytes from a peer, before their meaning is looked at.
///
/// Trivial on purpose: throwing one allocates nothing.
package enum WireError: Error, Equatable, Sendable {
    /// A length word counts itself, so it is at least four.
    case lengthTooSmall(UInt32)
    /// The message is longer than allowed for its type.
    case lengthTooLarge(UInt32, limit: Int)
    /// No message of this direction starts with this byte.
    case unknownTag(UInt8)
    /// A field reaches beyond the end of its message.
    case truncated
    /// A text field has no terminating zero byte.
    case missingTerminator
    /// The message goes on after its last field.
    case trailingBytes(Int)
    /// A count or length field has an impossible value.
    case invalidCount(Int)
    /// A field has a value that the protocol does not know.
    case invalidValue(Int)
    /// A field that must be text is not valid UTF-8.
    case invalidText

    /// The code to put into an ErrorResponse about this error.
    package var sqlState: SQLState { .protocolViolation }
}

extension WireError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .lengthTooSmall(let length):
            "invalid message length \(length): it counts itself and is at least 4"
        case .lengthTooLarge(let length, let limit):
            "invalid message length \(length): the limit for this message is \(limit) bytes"
        case .unknownTag(let tag):
            "unknown message type \(tag) (\(tagText(tag)))"
        case .truncated:
            "malformed message: a field reaches beyond the end of the message"
        case .missingTerminator:
            "malformed message: a text field has no terminating zero byte"
        case .trailingBytes(let count):
            "malformed message: \(count) bytes after the last field"
        case .invalidCount(let count):
            "malformed message: impossible count or length \(count)"
        case .invalidValue(let value):
            "malformed message: unknown value \(value)"
        case .invalidText:
            "malformed message: text is not valid UTF-8"
        }
    }
}

/// A message type byte as people write it: `'Z'`, or hexadecimal where it does not print.
package func tagText(_ tag: UInt8) -> String {
    if tag > 0x20, tag < 0x7f { return "'\(Character(Unicode.Scalar(tag)))'" }
    let digits = String(tag, radix: 16, uppercase: true)
    return digits.count == 1 ? "0x0\(digits)" : "0x\(digits)"
}
