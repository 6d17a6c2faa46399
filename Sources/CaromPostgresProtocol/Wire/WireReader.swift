// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A cursor over the body of one message.
///
/// Every read checks what is left, so no input makes it read out of bounds. Text fields come back as byte
/// ranges of the span: whether they become a `String` is the caller's decision.
package struct WireReader: ~Escapable {
    package let bytes: RawSpan
    package private(set) var position: Int

    /// Starts at `position` of `bytes`.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan, at position: Int = 0) {
        precondition(position >= 0 && position <= bytes.byteCount, "The cursor starts inside its span.")
        self.bytes = bytes
        self.position = position
    }

    /// Bytes not read yet.
    package var remaining: Int { bytes.byteCount &- position }

    package mutating func readUInt8() throws(WireError) -> UInt8 {
        guard remaining >= 1 else { throw .truncated }
        defer { position &+= 1 }
        return bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
    }

    package mutating func readUInt16() throws(WireError) -> UInt16 {
        guard remaining >= 2 else { throw .truncated }
        defer { position &+= 2 }
        return UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt16.self))
    }

    package mutating func readInt16() throws(WireError) -> Int16 {
        Int16(bitPattern: try readUInt16())
    }

    package mutating func readUInt32() throws(WireError) -> UInt32 {
        guard remaining >= 4 else { throw .truncated }
        defer { position &+= 4 }
        return UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self))
    }

    package mutating func readInt32() throws(WireError) -> Int32 {
        Int32(bitPattern: try readUInt32())
    }

    /// Steps over `count` bytes and says where they are.
    package mutating func readRange(_ count: Int) throws(WireError) -> Range<Int> {
        guard count >= 0 else { throw .invalidCount(count) }
        guard count <= remaining else { throw .truncated }
        defer { position &+= count }
        return position..<(position &+ count)
    }

    /// Steps over a zero-terminated text and says where it is, without its terminator.
    package mutating func readText() throws(WireError) -> Range<Int> {
        let start = position
        var index = start
        let end = bytes.byteCount
        // Eight at a time, as long as none of them is zero: a Parse has a whole statement here.
        while index &+ 8 <= end {
            let word = bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { break }
            index &+= 8
        }
        while index < end {
            if bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self) == 0 {
                position = index &+ 1
                return start..<index
            }
            index &+= 1
        }
        throw .missingTerminator
    }

    /// A zero-terminated text as bytes.
    package mutating func readTextBytes() throws(WireError) -> [UInt8] {
        bytes.array(try readText())
    }

    /// A value with a length word in front; −1 is SQL null and reads as nil.
    package mutating func readValue() throws(WireError) -> Range<Int>? {
        let count = try readInt32()
        if count == -1 { return nil }
        return try readRange(Int(count))
    }

    /// A 16-bit count of things that take at least `minimum` bytes each, so that a lie never reserves memory.
    package mutating func readCount(minimum: Int) throws(WireError) -> Int {
        let count = Int(try readUInt16())
        guard count &* minimum <= remaining else { throw .truncated }
        return count
    }

    /// What is left, as a range; the cursor moves to the end.
    package mutating func readRest() -> Range<Int> {
        defer { position = bytes.byteCount }
        return position..<bytes.byteCount
    }

    /// Fails if the message goes on.
    package func finish() throws(WireError) {
        guard remaining == 0 else { throw .trailingBytes(remaining) }
    }
}

extension RawSpan {
    /// The body of a whole message that stands in this range.
    @_lifetime(copy self)
    package func body(ofMessage range: Range<Int>) -> RawSpan {
        extracting((range.lowerBound + Framing.headerSize)..<range.upperBound)
    }

    /// A copy of these bytes.
    package func array(_ range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { Array($0) }
    }

    /// A copy of all bytes.
    package func array() -> [UInt8] {
        withUnsafeBytes { Array($0) }
    }

    /// These bytes as text, or nil if they are not valid UTF-8.
    package func text(_ range: Range<Int>) -> String? {
        extracting(range).withUnsafeBytes { String(validating: $0, as: UTF8.self) }
    }

    /// These bytes as text for people: what is not UTF-8 is replaced.
    package func repairedText(_ range: Range<Int>) -> String {
        extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
