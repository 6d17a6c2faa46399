// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `P`: makes a prepared statement. Names and text are bytes, because the client's encoding need not be
/// UTF-8.
package struct Parse: Hashable, Sendable {
    /// Empty for the unnamed statement.
    package var name: [UInt8]
    package var query: [UInt8]
    /// Type OIDs of the first parameters; 0 leaves one to the server.
    package var parameterTypes: [UInt32]

    package init(name: [UInt8], query: [UInt8], parameterTypes: [UInt32] = []) {
        self.name = name
        self.query = query
        self.parameterTypes = parameterTypes
    }

    package init(name: String, query: String, parameterTypes: [UInt32] = []) {
        self.init(name: Array(name.utf8), query: Array(query.utf8), parameterTypes: parameterTypes)
    }

    package init(body: RawSpan) throws(WireError) {
        let layout = try Layout(body: body)
        name = body.array(layout.name)
        query = body.array(layout.query)
        var reader = WireReader(body, at: layout.types.lowerBound)
        parameterTypes = []
        parameterTypes.reserveCapacity(layout.types.count / 4)
        while reader.remaining > 0 { parameterTypes.append(try reader.readUInt32()) }
    }

    /// Where the fields stand in a body, without copying anything.
    package struct Layout: Equatable, Sendable {
        package let name: Range<Int>
        package let query: Range<Int>
        /// The OIDs, four bytes each.
        package let types: Range<Int>
        /// Everything that makes the statement what it is, whatever its name: text, terminator, count and
        /// OIDs.
        package var content: Range<Int> { query.lowerBound..<types.upperBound }

        package init(body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            name = try reader.readText()
            query = try reader.readText()
            let count = try reader.readCount(minimum: 4)
            types = try reader.readRange(count * 4)
            try reader.finish()
        }
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.parse.rawValue) { bytes in
            bytes.appendText(name)
            bytes.appendText(query)
            bytes.append16(UInt16(clamping: parameterTypes.count))
            for type in parameterTypes.prefix(Int(UInt16.max)) { bytes.append32(type) }
        }
    }

    /// Writes a Parse of another name from the `content` of a layout.
    package static func encode(name: [UInt8], content: RawSpan, into bytes: inout [UInt8]) {
        bytes.append(FrontendTag.parse.rawValue)
        bytes.append32(UInt32(4 + name.count + 1 + content.byteCount))
        bytes.append(contentsOf: name)
        bytes.append(0)
        content.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
}
