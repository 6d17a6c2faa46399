// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Appending wire fields: the writing side of every encoder.
extension Array where Element == UInt8 {
    package mutating func append16(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value &>> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    package mutating func append32(_ value: UInt32) {
        append16(UInt16(truncatingIfNeeded: value &>> 16))
        append16(UInt16(truncatingIfNeeded: value))
    }

    /// A text and its terminator. A zero byte inside would end it early, so it and what follows is left out.
    package mutating func appendText(_ text: some Sequence<UInt8>) {
        for byte in text {
            if byte == 0 { break }
            append(byte)
        }
        append(0)
    }

    /// A text and its terminator.
    package mutating func appendText(_ text: String) {
        appendText(text.utf8)
    }

    /// A value with a length word in front; nil is SQL null.
    package mutating func appendValue(_ value: [UInt8]?) {
        guard let value else { return append32(UInt32.max) }
        append32(UInt32(truncatingIfNeeded: value.count))
        append(contentsOf: value)
    }

    /// One message: the type byte, then a length word that is filled in when `body` is done.
    package mutating func appendMessage(_ tag: UInt8, _ body: (inout [UInt8]) -> Void) {
        append(tag)
        appendMeasured(body)
    }

    /// A length word that counts itself, and the bytes it counts.
    package mutating func appendMeasured(_ body: (inout [UInt8]) -> Void) {
        let start = count
        append32(0)
        body(&self)
        let length = count - start
        precondition(length <= Int(Int32.max), "A message is at most 2 GiB long.")
        let word = UInt32(length)
        self[start] = UInt8(truncatingIfNeeded: word &>> 24)
        self[start + 1] = UInt8(truncatingIfNeeded: word &>> 16)
        self[start + 2] = UInt8(truncatingIfNeeded: word &>> 8)
        self[start + 3] = UInt8(truncatingIfNeeded: word)
    }

    /// A message without a body.
    package mutating func appendEmptyMessage(_ tag: UInt8) {
        append(tag)
        append32(4)
    }
}
