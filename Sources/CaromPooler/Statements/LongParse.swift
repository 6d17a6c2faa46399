// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A Parse that comes in pieces.
struct LongParse {
    let name: [UInt8]
    let number: UInt64
    let parsedAt: UInt64
    /// The number of the message in the server's flow.
    let sentAs: UInt64
    var content: [UInt8]
}
