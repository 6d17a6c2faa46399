// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor

/// Bytes that a socket has not taken yet. Empty, without memory, as long as the other side keeps up.
///
/// It does not limit itself: whoever fills it stops reading from the fast side while it is not empty, which bounds it
/// by one read buffer.
package struct OutputQueue {
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

    /// Writes `first` and `second` in one call; what the socket does not take now waits.
    package mutating func write(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, to transport: Transport
    ) throws(SystemError) {
        guard isEmpty else {
            append(first)
            return append(second)
        }
        var taken = 0
        let outcome = try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 2) {
            (pieces) throws(SystemError) in
            pieces[0] = first
            pieces[1] = second
            return try transport.write(UnsafeBufferPointer(pieces))
        }
        if case .bytes(let count) = outcome { taken = count }
        if taken < first.count { append(UnsafeRawBufferPointer(rebasing: first[taken...])) }
        let fromSecond = max(0, taken - first.count)
        if fromSecond < second.count { append(UnsafeRawBufferPointer(rebasing: second[fromSecond...])) }
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
