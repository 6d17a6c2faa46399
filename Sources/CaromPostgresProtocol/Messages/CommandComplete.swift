// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `C` from a server: a statement is done, and what it was.
package struct CommandComplete: Equatable, Sendable {
    /// For instance `INSERT 0 3`, `SELECT 1`, `DISCARD ALL`.
    package var tag: String

    package init(tag: String) { self.tag = tag }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        tag = body.repairedText(try reader.readText())
        try reader.finish()
    }

    /// The number at the end of the tag: rows affected or returned. Nil if there is none.
    package var rows: Int? {
        tag.split(separator: " ").last.flatMap { Int($0) }
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText(tag) }
    }

    /// Whether a body says exactly this, without making a text of it.
    package static func isTag(_ expected: StaticString, in body: RawSpan) -> Bool {
        let count = expected.utf8CodeUnitCount
        guard body.byteCount == count + 1 else { return false }
        return expected.withUTF8Buffer { expected in
            body.withUnsafeBytes { body in
                body.prefix(count).elementsEqual(expected) && body[count] == 0
            }
        }
    }
}
