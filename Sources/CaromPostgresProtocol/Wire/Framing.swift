// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One message's header, checked.
package struct FrameHeader: Equatable, Sendable {
    /// The message type.
    package let tag: UInt8
    /// Length of the whole message in bytes, type byte and length word included.
    package let length: Int

    package init(tag: UInt8, length: Int) {
        self.tag = tag
        self.length = length
    }
}

/// What stands at a place of the stream.
package enum FrameStep: Equatable, Sendable {
    /// A header; the body may or may not be in the buffer yet.
    case frame(FrameHeader)
    /// Fewer bytes than a header.
    case needMore
    /// Not a message of this protocol; the stream cannot be followed any further.
    case invalid(WireError)
}

/// What stands at the beginning of a fresh connection.
package enum StartupStep: Equatable, Sendable {
    /// A complete packet of this many bytes, length word included.
    case packet(length: Int)
    /// Not complete yet; at least this many bytes are needed before it is worth asking again.
    case needMore(Int)
    /// The peer speaks TLS without asking first (direct TLS, PostgreSQL 17).
    case directTLS
    /// No start-up packet.
    case invalid(WireError)
}

/// Finds message borders in bytes that are all there; `FrameWalker` does it for streams.
package enum Framing {
    /// Bytes before a message's body: one type byte and a length word.
    package static let headerSize = 5

    /// PostgreSQL's own limit for a start-up packet.
    package static let startupLimit = 10_000

    /// PostgreSQL's own limit for any message: its largest allocation.
    package static let messageLimit = 0x3fff_ffff

    /// The header at `position`. `limit` bounds the length word.
    package static func next(
        in bytes: RawSpan, at position: Int = 0, limit: Int = messageLimit
    ) -> FrameStep {
        guard bytes.byteCount - position >= headerSize else { return .needMore }
        let tag = bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
        let word = UInt32(
            bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position + 1, as: UInt32.self))
        guard word >= 4 else { return .invalid(.lengthTooSmall(word)) }
        guard Int(word) <= limit else { return .invalid(.lengthTooLarge(word, limit: limit)) }
        return .frame(FrameHeader(tag: tag, length: Int(word) + 1))
    }

    /// The packet without a type byte that opens a connection: StartupMessage, SSLRequest, GSSENCRequest,
    /// CancelRequest.
    package static func startupPacket(in bytes: RawSpan, limit: Int = startupLimit) -> StartupStep {
        guard bytes.byteCount > 0 else { return .needMore(8) }
        // A TLS record of type "handshake". Read as a length it would be 369 MB, so nothing is lost.
        if bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self) == 0x16 { return .directTLS }
        guard bytes.byteCount >= 4 else { return .needMore(8) }
        let word = UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self))
        guard word >= 8 else { return .invalid(.lengthTooSmall(word)) }
        guard Int(word) <= limit else { return .invalid(.lengthTooLarge(word, limit: limit)) }
        guard bytes.byteCount >= Int(word) else { return .needMore(Int(word)) }
        return .packet(length: Int(word))
    }
}
