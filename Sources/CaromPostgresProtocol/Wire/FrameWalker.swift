// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Walks a byte stream chunk by chunk and tells where messages begin and end, without buffering them.
///
/// The state is two words: how much of a streamed message is still to come, and of which type. Everything
/// else is in the chunk. The caller keeps the bytes of an `incomplete` event in front of the next chunk and
/// walks those again.
package struct FrameWalker: Equatable, Sendable {
    /// Bytes of a streamed message that later chunks will bring.
    package private(set) var outstanding: Int = 0
    /// Type of the streamed message; meaningless while nothing is outstanding.
    package private(set) var tag: UInt8 = 0

    package init() {}

    /// What comes next in a chunk. Ranges are offsets into the chunk.
    package enum Event: Equatable, Sendable {
        /// A whole message, header included.
        case message(tag: UInt8, Range<Int>)
        /// `count` whole messages of the same type, one after the other.
        case run(tag: UInt8, Range<Int>, count: Int)
        /// The first bytes of a message that goes on in later chunks; `length` is that of the whole message.
        case beginning(tag: UInt8, Range<Int>, length: Int)
        /// More of it. The next event after the last one is a new message.
        case continuation(tag: UInt8, Range<Int>, isLast: Bool)
        /// The beginning of a header or of a message that is not handed out in pieces: keep these bytes.
        /// `length` is how many there must be before it is worth asking again. Always the last event of a
        /// chunk.
        case incomplete(Range<Int>, length: Int)
        /// The chunk is used up.
        case end
        /// Not this protocol. The walker cannot go on.
        case invalid(WireError)
    }

    /// Whether the stream stands between two messages.
    package var isAtBorder: Bool { outstanding == 0 }

    /// Whether the message that begins at `position` is here as a whole, or longer than `heldLimit`, so that it is passed on in
    /// pieces. False for a length that no message has. The walker must stand at a border.
    @inlinable
    package func holdsNext(of chunk: RawSpan, at position: Int, heldLimit: Int) -> Bool {
        let available = chunk.byteCount &- position
        guard available >= Framing.headerSize else { return false }
        let word = UInt32(
            bigEndian: chunk.unsafeLoadUnaligned(fromByteOffset: position &+ 1, as: UInt32.self))
        return word >= 4 && (Int(word) < available || Int(word) >= heldLimit)
    }

    /// The next event of `chunk` from `position`, which moves behind it (but not behind `incomplete` bytes).
    package mutating func next(
        in chunk: RawSpan, at position: inout Int, limits: borrowing FrameLimits
    ) -> Event {
        let end = chunk.byteCount
        let start = position
        precondition(start >= 0 && start <= end, "The position is inside the chunk.")
        if outstanding > 0 { return proceed(from: start, to: end, &position) }
        let available = end &- start
        guard available >= Framing.headerSize else {
            return available == 0 ? .end : .incomplete(start..<end, length: Framing.headerSize)
        }
        let tag = chunk.unsafeLoad(fromUncheckedByteOffset: start, as: UInt8.self)
        let word = UInt32(
            bigEndian: chunk.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ 1, as: UInt32.self))
        if let error = Self.fault(tag, word, limits) { return .invalid(error) }
        let length = Int(word) &+ 1
        if length > available {
            return begin(tag, length, start..<end, &position, limits)
        }
        guard limits.runs.contains(tag) else {
            position = start &+ length
            return .message(tag: tag, start..<position)
        }
        var next = start &+ length
        let count = 1 &+ Self.skipRun(of: tag, in: chunk, from: &next, largest: limits.largest)
        position = next
        return .run(tag: tag, start..<next, count: count)
    }

    /// Steps over whole messages of one type. A header with anything unusual in it stops the loop and is
    /// looked at with all care by the next call.
    @inline(__always)
    private static func skipRun(
        of tag: UInt8, in chunk: RawSpan, from position: inout Int, largest: Int
    ) -> Int {
        let end = chunk.byteCount
        var place = position
        var count = 0
        let limit = UInt32(clamping: largest)
        while end &- place >= Framing.headerSize,
            chunk.unsafeLoad(fromUncheckedByteOffset: place, as: UInt8.self) == tag
        {
            let word = UInt32(
                bigEndian: chunk.unsafeLoadUnaligned(fromUncheckedByteOffset: place &+ 1, as: UInt32.self))
            guard word >= 4, word <= limit, Int(word) < end &- place else { break }
            place &+= Int(word) &+ 1
            count &+= 1
        }
        position = place
        return count
    }

    @inline(__always)
    private static func fault(_ tag: UInt8, _ word: UInt32, _ limits: borrowing FrameLimits) -> WireError? {
        guard limits.known.contains(tag) else { return .unknownTag(tag) }
        guard word >= 4 else { return .lengthTooSmall(word) }
        let limit = limits.small.contains(tag) ? limits.smallLimit : limits.largest
        guard Int(word) <= limit else { return .lengthTooLarge(word, limit: limit) }
        return nil
    }

    private mutating func begin(
        _ tag: UInt8, _ length: Int, _ range: Range<Int>, _ position: inout Int,
        _ limits: borrowing FrameLimits
    ) -> Event {
        if limits.small.contains(tag) { return .incomplete(range, length: length) }
        if limits.held.contains(tag), length <= limits.heldLimit { return .incomplete(range, length: length) }
        self.tag = tag
        outstanding = length &- range.count
        position = range.upperBound
        return .beginning(tag: tag, range, length: length)
    }

    private mutating func proceed(from start: Int, to end: Int, _ position: inout Int) -> Event {
        if start == end { return .end }
        let count = min(outstanding, end &- start)
        outstanding &-= count
        position = start &+ count
        return .continuation(tag: tag, start..<position, isLast: outstanding == 0)
    }
}
