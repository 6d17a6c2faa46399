// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a WebSocket server sends, put together from its frames (RFC 6455 §5), and what a client answers.
struct WebSocketMessages {
    enum Message: Equatable {
        /// A whole text or binary message.
        case data([UInt8])
        /// To be answered with a pong of the same payload.
        case ping([UInt8])
        /// The server's goodbye.
        case close
    }

    /// The longest message that is taken in.
    static let largest = 16 << 20

    private var input: [UInt8] = []
    private var read = 0
    private var message: [UInt8]?

    /// Takes in bytes as they came.
    mutating func append(_ bytes: some Collection<UInt8>) {
        if read > 0, read == input.count {
            input.removeAll(keepingCapacity: true)
            read = 0
        }
        input.append(contentsOf: bytes)
    }

    /// The next message, or nil until more bytes come.
    ///
    /// - Throws: ``StatsClientError`` for what a server must not send.
    mutating func next() throws(StatsClientError) -> Message? {
        while let frame = try nextFrame() {
            switch frame.opcode {
            case 0x0:
                guard let begun = message else {
                    throw StatsClientError("the stream continues a message it never began")
                }
                message = begun + frame.payload
            case 0x1, 0x2:
                guard message == nil else {
                    throw StatsClientError("the stream begins a message inside another")
                }
                message = frame.payload
            case 0x8: return .close
            case 0x9: return .ping(frame.payload)
            case 0xA: continue
            default: throw StatsClientError("the stream sent a frame of the unknown type \(frame.opcode)")
            }
            if let whole = message {
                guard whole.count <= Self.largest else { throw Self.tooLong }
                if frame.isFinal {
                    message = nil
                    return .data(whole)
                }
            }
        }
        return nil
    }

    private struct Frame {
        var isFinal: Bool
        var opcode: UInt8
        var payload: [UInt8]
    }

    private static let tooLong = StatsClientError("the stream sent a message of more than \(largest) bytes")

    private mutating func nextFrame() throws(StatsClientError) -> Frame? {
        let bytes = input[read...]
        guard bytes.count >= 2 else { return nil }
        let (first, second) = (bytes[read], bytes[read + 1])
        guard first & 0x70 == 0 else {
            throw StatsClientError("the stream uses an extension that was not agreed upon")
        }
        guard second & 0x80 == 0 else {
            throw StatsClientError("the stream masks its frames, as only clients may")
        }
        let opcode = first & 0x0F
        let isFinal = first & 0x80 != 0
        var header = 2
        var length = UInt64(second)
        if second >= 126 {
            header += second == 126 ? 2 : 8
            guard bytes.count >= header else { return nil }
            length = bytes[read + 2..<read + header].reduce(0) { $0 << 8 | UInt64($1) }
        }
        if opcode >= 0x8, length > 125 || !isFinal {
            throw StatsClientError("the stream sent a control frame that is too long or in pieces")
        }
        guard length <= Self.largest else { throw Self.tooLong }
        let end = header + Int(length)
        guard bytes.count >= end else { return nil }
        let payload = Array(bytes[read + header..<read + end])
        read += end
        return Frame(isFinal: isFinal, opcode: opcode, payload: payload)
    }

    /// A client's frame, masked as it must be.
    static func frame(opcode: UInt8, payload: [UInt8], mask: UInt32) -> [UInt8] {
        precondition(payload.count <= 125, "only short frames are sent")
        let key = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: mask >> $0) }
        let masked = payload.enumerated().map { $0.element ^ key[$0.offset % 4] }
        return [0x80 | opcode, 0x80 | UInt8(payload.count)] + key + masked
    }
}
