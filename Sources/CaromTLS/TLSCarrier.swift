// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a carrier's read or write came to.
package enum TLSTransfer: Hashable, Sendable {
    /// So many bytes were moved, at least one.
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The peer has ended its side of the stream.
    case end
    /// The stream failed, with the system's error number.
    case failed(Int32)
}

/// The stream that a ``TLSSession`` sends and receives its records over. It never waits.
package protocol TLSCarrier: AnyObject {
    /// Reads encrypted bytes. The buffer is not empty.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> TLSTransfer

    /// Sends encrypted bytes, as far as they are taken. The buffer is not empty.
    func send(_ bytes: UnsafeRawBufferPointer) -> TLSTransfer
}
