// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP

/// What goes out in one write: own bytes and ranges of the chunk at hand, in any order.
///
/// Each worker has one and reuses its memory. The usual content is a single range of the chunk, which costs two stores.
struct Segments: ~Copyable {
    /// One piece of the write.
    enum Piece: Equatable {
        /// Bytes of the chunk that is passed on.
        case chunk(Range<Int>)
        /// Own bytes, as offsets into ``own``.
        case own(Range<Int>)
    }

    /// The chunk's bytes that come first.
    private(set) var first = 0..<0
    /// What follows them.
    private(set) var rest: [Piece] = []
    /// The bytes that are not the chunk's.
    private(set) var own: [UInt8] = []

    /// Nothing is to be written.
    var isEmpty: Bool { first.isEmpty && rest.isEmpty }

    /// How many bytes there are.
    var count: Int {
        var count = first.count
        for piece in rest {
            switch piece {
            case .chunk(let range), .own(let range): count += range.count
            }
        }
        return count
    }

    /// Adds a part of the chunk, which must lie behind the parts that were added before.
    @inline(__always)
    mutating func append(chunk range: Range<Int>) {
        if rest.isEmpty {
            if first.isEmpty {
                first = range
                return
            }
            if first.upperBound == range.lowerBound {
                first = first.lowerBound..<range.upperBound
                return
            }
        }
        appendFurther(range)
    }

    private mutating func appendFurther(_ range: Range<Int>) {
        if case .chunk(let last) = rest.last, last.upperBound == range.lowerBound {
            rest[rest.count - 1] = .chunk(last.lowerBound..<range.upperBound)
        } else {
            rest.append(.chunk(range))
        }
    }

    /// Adds own bytes, which `write` appends to an array.
    mutating func append(own write: (inout [UInt8]) -> Void) {
        let start = own.count
        write(&own)
        guard own.count > start else { return }
        if case .own(let last) = rest.last {
            rest[rest.count - 1] = .own(last.lowerBound..<own.count)
        } else {
            rest.append(.own(start..<own.count))
        }
    }

    /// Forgets everything; the memory of ordinary use is kept.
    @inline(__always)
    mutating func removeAll() {
        first = 0..<0
        if !rest.isEmpty || !own.isEmpty { removeRest() }
    }

    private mutating func removeRest() {
        rest.removeAll(keepingCapacity: rest.capacity <= Self.keptPieces)
        own.removeAll(keepingCapacity: own.capacity <= Self.keptBytes)
    }

    /// Memory beyond this is given back: one client's long statement shall not stay for the life of the worker.
    private static var keptBytes: Int { 65_536 }
    private static var keptPieces: Int { 1_024 }
}

extension Segments {
    /// All bytes in a row, with the chunk's taken from `chunk`; for tests.
    func bytes(of chunk: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes = Array(chunk[first])
        for piece in rest {
            switch piece {
            case .chunk(let range): bytes.append(contentsOf: chunk[range])
            case .own(let range): bytes.append(contentsOf: own[range])
            }
        }
        return bytes
    }

    /// Calls `body` with the pieces as the kernel takes them; they are valid during the call.
    func withPieces<R>(
        of chunk: UnsafeRawBufferPointer, _ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) -> R
    ) -> R {
        own.withUnsafeBytes { own in
            withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: rest.count + 1) {
                pieces in
                var count = 0
                if !first.isEmpty {
                    pieces[0] = UnsafeRawBufferPointer(rebasing: chunk[first])
                    count = 1
                }
                for piece in rest {
                    switch piece {
                    case .chunk(let range): pieces[count] = UnsafeRawBufferPointer(rebasing: chunk[range])
                    case .own(let range): pieces[count] = UnsafeRawBufferPointer(rebasing: own[range])
                    }
                    count += 1
                }
                return body(UnsafeBufferPointer(rebasing: pieces[..<count]))
            }
        }
    }
}

extension OutputQueue {
    /// Writes the segments with one call; what the socket does not take now waits.
    mutating func write(
        _ segments: borrowing Segments, of chunk: UnsafeRawBufferPointer, to transport: Transport
    )
        throws(SystemError)
    {
        if segments.rest.isEmpty {
            return try write(UnsafeRawBufferPointer(rebasing: chunk[segments.first]), to: transport)
        }
        let result = segments.withPieces(of: chunk) { pieces in
            Result { () throws(SystemError) in try write(pieces, to: transport) }
        }
        try result.get()
    }
}
