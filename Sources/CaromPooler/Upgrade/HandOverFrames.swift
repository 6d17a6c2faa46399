// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Cuts the stream of a hand-over into its messages.
struct HandOverFrames {
    private var bytes: [UInt8] = []
    private var position = 0
    private var hasBegun = false

    /// A client's statements and settings fit into that; `prepared_statements_memory` is less by default.
    static let longest: UInt32 = 1 << 28
    /// Of the first message, which says who speaks.
    private static let longestFirst: UInt32 = 1 << 16

    /// Adds what was read.
    mutating func append(_ more: UnsafeRawBufferPointer) {
        if position == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            position = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next message; nil until all of it has come.
    ///
    /// - Throws: what is wrong; nothing that comes behind it is of any use.
    mutating func next() throws(HandOverError) -> HandOverMessage? {
        guard bytes.count - position >= 4 else { return nil }
        let length = bytes[position..<position + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        if !hasBegun, length > Self.longestFirst { throw .foreign }
        if length > Self.longest { throw .tooLong(length) }
        let end = position + 4 + Int(length)
        guard bytes.count >= end else { return nil }
        let message = try HandOverMessage(Array(bytes[position + 4..<end]))
        position = end
        hasBegun = true
        return message
    }
}
