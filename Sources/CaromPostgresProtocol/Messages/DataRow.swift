// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `D`: one row.
package struct DataRow: Equatable, Sendable {
    /// One a column; nil is SQL null.
    package var values: [[UInt8]?]

    package init(values: [[UInt8]?]) { self.values = values }

    package init(body: RawSpan) throws(WireError) {
        values = []
        try Self.forEachValue(in: body) { value in
            values.append(value.map { body.array($0) })
        }
    }

    /// A row of texts.
    package init(texts: [String?]) {
        values = texts.map { $0.map { Array($0.utf8) } }
    }

    /// Calls `visit` with the place of every value (nil is SQL null), without copying.
    package static func forEachValue(
        in body: RawSpan, _ visit: (Range<Int>?) -> Void
    ) throws(WireError) {
        var reader = WireReader(body)
        let count = try reader.readCount(minimum: 4)
        for _ in 0..<count { visit(try reader.readValue()) }
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        precondition(values.count <= Int(UInt16.max), "A row has at most 65535 columns.")
        bytes.appendMessage(BackendTag.dataRow.rawValue) { bytes in
            bytes.append16(UInt16(values.count))
            for value in values { bytes.appendValue(value) }
        }
    }
}
