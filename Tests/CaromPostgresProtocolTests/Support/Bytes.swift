// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// The bytes of a text.
func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

/// The text of bytes.
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// A message of any type and body.
func message(_ tag: Character, _ body: [UInt8] = []) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendMessage(tag.asciiValue!) { $0 += body }
    return bytes
}

/// What an encoder writes.
func encoded(_ encode: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    encode(&bytes)
    return bytes
}

/// A message without its header.
func body(_ message: [UInt8]) -> [UInt8] { Array(message.dropFirst(5)) }
