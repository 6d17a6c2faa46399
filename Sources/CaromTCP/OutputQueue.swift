// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor

/// Bytes that a socket has not taken yet. Empty, without memory, as long as the other side keeps up.
///
/// It does not limit itself: whoever fills it stops reading from the fast side while it is not empty, which bounds it
/// by one read buffer.
package struct OutputQueue: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    package init() {}

    /// Whether everything was taken.
    package var isEmpty: Bool { start == bytes.count }

    /// How much waits.
    package var count: Int { bytes.count - start }

    /// Puts bytes at the end.
    package mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

    /// Puts bytes at the end.
    package mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

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
        while !isEmpty {
            let outcome: WriteOutcome
            do {
                outcome = try bytes[start...].withUnsafeBytes { try transport.write($0) }
            } catch let error as SystemError {
                throw error
            } catch { preconditionFailure("a transport throws system errors only") }
            guard case .bytes(let count) = outcome else { return }
            start += count
        }
        bytes = []
        start = 0
    }
}
