// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `Q`: one or more statements as text. Kept as bytes, because the client's encoding need not be UTF-8.
package struct Query: Equatable, Sendable {
    package var text: [UInt8]

    package init(_ text: String) { self.text = Array(text.utf8) }

    package init(_ text: [UInt8]) { self.text = text }

    package init(body: RawSpan) throws(WireError) {
        text = body.array(try Self.text(in: body))
    }

    /// Where the text stands in a body, without its terminator.
    package static func text(in body: RawSpan) throws(WireError) -> Range<Int> {
        var reader = WireReader(body)
        let text = try reader.readText()
        try reader.finish()
        return text
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.query.rawValue) { $0.appendText(text) }
    }
}
