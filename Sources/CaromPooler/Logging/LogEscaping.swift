// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How text that came from outside is made fit for a log line. No style lets a line break or a terminal's control
/// character through: whoever chooses a user name must not be able to write log lines.
enum LogEscaping {
    /// Control characters only: `%m`, `%u` and the like.
    case controls
    /// Control characters, `\` and `=`: `%M`, for logs of `key=value`.
    case keyValue
    /// The inside of a JSON string (RFC 8259, chapter 7).
    case json
}

extension [UInt8] {
    /// Appends text, escaped, in at most `limit` bytes; longer text ends in `…`.
    mutating func append(_ text: String, escaping style: LogEscaping, limit: Int) {
        var text = text
        text.withUTF8 { bytes in
            let end = count + limit
            var index = 0
            while index < bytes.count {
                let byte = bytes[index]
                let length = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
                // C1 controls are two bytes long; U+0085 is a line break to some readers, U+009B begins an escape sequence.
                let isC1 = byte == 0xC2 && index + 1 < bytes.count && bytes[index + 1] < 0xA0
                // No escape is longer than six bytes, and room for the mark is kept.
                guard
                    count + 6 + 3 <= end
                        || bytes.count - index <= end - count && !needsEscape(bytes[index...], style)
                else {
                    append(contentsOf: "…".utf8)
                    return
                }
                if isC1 {
                    appendEscape(of: bytes[index + 1], style)
                } else if byte < 0x20 || byte == 0x7F {
                    appendEscape(of: byte, style)
                } else if Self.isSpecial(byte, style) {
                    append(UInt8(ascii: "\\"))
                    append(byte)
                } else {
                    append(contentsOf: bytes[index..<Swift.min(index + length, bytes.count)])
                }
                index += length
            }
        }
    }

    private func needsEscape(_ bytes: Slice<UnsafeBufferPointer<UInt8>>, _ style: LogEscaping) -> Bool {
        bytes.contains { $0 < 0x20 || $0 == 0x7F || $0 == 0xC2 || Self.isSpecial($0, style) }
    }

    /// Whether a printable character needs a backslash.
    private static func isSpecial(_ byte: UInt8, _ style: LogEscaping) -> Bool {
        switch style {
        case .controls: false
        case .keyValue: byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "=")
        case .json: byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "\"")
        }
    }

    private mutating func appendEscape(of control: UInt8, _ style: LogEscaping) {
        append(UInt8(ascii: "\\"))
        switch control {
        case UInt8(ascii: "\n"): return append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): return append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): return append(UInt8(ascii: "t"))
        default: break
        }
        switch style {
        case .controls, .keyValue: append(UInt8(ascii: "x"))
        case .json: append(contentsOf: "u00".utf8)
        }
        if control < 0x10 { append(UInt8(ascii: "0")) }
        append(hexadecimal: UInt64(control))
    }
}
