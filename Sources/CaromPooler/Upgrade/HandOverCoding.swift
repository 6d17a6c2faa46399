// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why what another process said at a hand-over is no use.
enum HandOverError: Error, Equatable {
    /// It begins with something else than a hand-over does.
    case foreign
    /// The other process speaks another version of the hand-over.
    case version(UInt16)
    /// A value reaches beyond the end of its message.
    case truncated
    /// The message goes on after its last value.
    case trailing(Int)
    /// There is no message of this kind.
    case unknownMessage(UInt8)
    /// A value that there is not.
    case impossible(String)
    /// A message that is longer than any that is sent.
    case tooLong(UInt32)
    /// A socket was to come with the message.
    case noDescriptor
    /// A message that makes no sense at this point.
    case unexpected(String)
    /// The other process does not go on, for this reason.
    case refused(String)
}

extension HandOverError: CustomStringConvertible {
    var description: String {
        switch self {
        case .foreign: "this is not the beginning of a hand-over"
        case .version(let version):
            "the other process speaks version \(version) of the hand-over, this one \(HandOverMessage.version)"
        case .truncated: "a value reaches beyond the end of its message"
        case .trailing(let count): "\(count) bytes after the last value of a message"
        case .unknownMessage(let tag): "unknown message 0x\(String(tag, radix: 16))"
        case .impossible(let what): "impossible \(what)"
        case .tooLong(let length): "a message of \(length) bytes, more than \(HandOverFrames.longest)"
        case .noDescriptor: "a message came without its socket"
        case .unexpected(let what): "unexpected: \(what)"
        case .refused(let reason): reason
        }
    }
}

/// Puts the values of a message together: numbers with their highest byte first, everything else with its length in front.
struct HandOverWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func put(_ value: [UInt8]) {
        put(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func put(_ text: String) { put(Array(text.utf8)) }

    mutating func put<Value>(_ value: Value?, _ body: (inout HandOverWriter, Value) -> Void) {
        put(value != nil)
        if let value { body(&self, value) }
    }

    mutating func put<Value>(_ values: [Value], _ body: (inout HandOverWriter, Value) -> Void) {
        put(UInt32(values.count))
        for value in values { body(&self, value) }
    }
}

/// Takes the values of a message apart. No bytes make it read out of bounds, or reserve memory that they do not fill.
struct HandOverReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    mutating func number<Number: FixedWidthInteger>(_: Number.Type = Number.self) throws(HandOverError)
        -> Number
    {
        let size = MemoryLayout<Number>.size
        guard remaining >= size else { throw .truncated }
        defer { position += size }
        return bytes.withUnsafeBytes {
            Number(bigEndian: $0.loadUnaligned(fromByteOffset: position, as: Number.self))
        }
    }

    mutating func flag() throws(HandOverError) -> Bool {
        switch try number(UInt8.self) {
        case 0: return false
        case 1: return true
        case let other: throw .impossible("flag \(other)")
        }
    }

    mutating func data() throws(HandOverError) -> [UInt8] {
        let count = Int(try number(UInt32.self))
        guard count <= remaining else { throw .truncated }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func text() throws(HandOverError) -> String {
        guard let text = String(validating: try data(), as: UTF8.self) else {
            throw .impossible("text: not valid UTF-8")
        }
        return text
    }

    mutating func optional<Value>(_ body: (inout HandOverReader) throws(HandOverError) -> Value)
        throws(HandOverError) -> Value?
    {
        try flag() ? try body(&self) : nil
    }

    mutating func list<Value>(_ body: (inout HandOverReader) throws(HandOverError) -> Value)
        throws(HandOverError) -> [Value]
    {
        let count = try number(UInt32.self)
        var values: [Value] = []
        // Each takes a byte at least, so a count that lies ends here.
        for _ in 0..<count { values.append(try body(&self)) }
        return values
    }

    func finish() throws(HandOverError) { if remaining > 0 { throw .trailing(remaining) } }
}
