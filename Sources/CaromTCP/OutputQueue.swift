// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor

/// Bytes that a socket has not taken yet. Empty, without memory, as long as the other side keeps up.
///
/// It does not limit itself: whoever fills it stops reading from the fast side while it is not empty, which bounds it
/// by one read buffer. What waits counts as ``BufferMemory``.
package struct OutputQueue: @unchecked Sendable {
    // Unchecked: what waits belongs to one queue; a queue that is passed on is not used any more by who had it.

    /// What waits; it counts as long as it is there.
    private final class Waiting {
        var bytes: [UInt8] = []
        var start = 0

        deinit { BufferMemory.giveBack(bytes.count) }
    }

    private var waiting: Waiting?

    package init() {}

    /// Whether everything was taken.
    package var isEmpty: Bool { waiting == nil }

    /// How much waits.
    package var count: Int { waiting.map { $0.bytes.count - $0.start } ?? 0 }

    /// Puts bytes at the end.
    package mutating func append(_ more: UnsafeRawBufferPointer) {
        if more.isEmpty { return }
        let waiting = waiting ?? Waiting()
        waiting.bytes.append(contentsOf: more)
        BufferMemory.take(more.count)
        self.waiting = waiting
    }

    /// Puts bytes at the end.
    package mutating func append(_ more: [UInt8]) { more.withUnsafeBytes { append($0) } }

    /// Writes `bytes` behind what waits; what the socket does not take now waits too.
    package mutating func write(_ more: UnsafeRawBufferPointer, to transport: Transport) throws(SystemError) {
        guard isEmpty else { return append(more) }
        switch try transport.write(more) {
        case .bytes(let count) where count == more.count: return
        case .bytes(let count): append(UnsafeRawBufferPointer(rebasing: more[count...]))
        case .wouldBlock: append(more)
        }
    }

    /// Writes `bytes` behind what waits; what the socket does not take now waits too.
    package mutating func write(_ bytes: [UInt8], to transport: Transport) throws(SystemError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(SystemError) in try write(bytes, to: transport) }
        }
        try result.get()
    }

    /// Writes the pieces in their order, in one call; what the socket does not take now waits.
    package mutating func write(
        _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, to transport: Transport
    ) throws(SystemError) {
        var taken = 0
        if isEmpty, case .bytes(let count) = try transport.write(pieces) { taken = count }
        for piece in pieces {
            let skipped = min(taken, piece.count)
            taken -= skipped
            if skipped < piece.count { append(UnsafeRawBufferPointer(rebasing: piece[skipped...])) }
        }
    }

    /// Writes what waits, as far as the socket takes it.
    package mutating func flush(to transport: Transport) throws(SystemError) {
        guard let waiting else { return }
        while waiting.start < waiting.bytes.count {
            let outcome: WriteOutcome
            do {
                outcome = try waiting.bytes[waiting.start...].withUnsafeBytes { try transport.write($0) }
            } catch let error as SystemError {
                throw error
            } catch { preconditionFailure("a transport throws system errors only") }
            guard case .bytes(let count) = outcome else { return }
            waiting.start += count
        }
        self.waiting = nil
    }
}
