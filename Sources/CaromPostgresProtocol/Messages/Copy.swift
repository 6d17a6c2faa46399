// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `G`, `H` and `W`: COPY begins, in which direction the type says.
package struct CopyResponse: Equatable, Sendable {
    /// Of the whole COPY: text (lines) or binary.
    package var format: ValueFormat
    /// Of each column.
    package var columns: [ValueFormat]

    package init(format: ValueFormat, columns: [ValueFormat]) {
        self.format = format
        self.columns = columns
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let code = try reader.readUInt8()
        guard let format = ValueFormat(rawValue: UInt16(code)) else { throw .invalidValue(Int(code)) }
        self.format = format
        columns = try ValueFormat.readList(&reader)
        try reader.finish()
    }

    /// Writes it as CopyInResponse, CopyOutResponse or CopyBothResponse.
    package func encode(as tag: BackendTag, into bytes: inout [UInt8]) {
        bytes.appendMessage(tag.rawValue) { bytes in
            bytes.append(UInt8(format.rawValue))
            ValueFormat.appendList(columns, to: &bytes)
        }
    }
}

/// `d` from either side: a piece of COPY data, of any length; pieces need not be rows.
package enum CopyData {
    package static func encode(_ data: [UInt8], into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.copyData.rawValue) { $0.append(contentsOf: data) }
    }
}

/// `f`: the client gives up; the server fails the COPY with this text.
package struct CopyFail: Equatable, Sendable {
    package var reason: String

    package init(reason: String) { self.reason = reason }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        reason = body.repairedText(try reader.readText())
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.copyFail.rawValue) { $0.appendText(reason) }
    }
}
