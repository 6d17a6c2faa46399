// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `T`: the columns of the rows to come.
package struct RowDescription: Equatable, Sendable {
    /// One column.
    package struct Column: Equatable, Sendable {
        package var name: String
        /// OID of the table it comes from, or 0.
        package var table: UInt32
        /// Its number in that table, or 0.
        package var attribute: Int16
        package var type: UInt32
        /// Bytes of the type; negative for variable ones.
        package var typeSize: Int16
        package var typeModifier: Int32
        package var format: ValueFormat

        /// A column that comes from no table; a variable-length type unless said otherwise.
        package init(
            _ name: String, type: UInt32, typeSize: Int16 = -1, typeModifier: Int32 = -1,
            table: UInt32 = 0, attribute: Int16 = 0, format: ValueFormat = .text
        ) {
            self.name = name
            self.table = table
            self.attribute = attribute
            self.type = type
            self.typeSize = typeSize
            self.typeModifier = typeModifier
            self.format = format
        }
    }

    package var columns: [Column]

    package init(columns: [Column]) { self.columns = columns }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let count = try reader.readCount(minimum: 19)
        columns = []
        columns.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.readText()
            let table = try reader.readUInt32()
            let attribute = try reader.readInt16()
            let type = try reader.readUInt32()
            let size = try reader.readInt16()
            let modifier = try reader.readInt32()
            let format = try ValueFormat.read(&reader)
            columns.append(
                Column(
                    body.repairedText(name), type: type, typeSize: size, typeModifier: modifier,
                    table: table, attribute: attribute, format: format))
        }
        try reader.finish()
    }

    /// Hands out what makes the shape of the rows, column by column: the name, and then type, size and modifier. Not the table.
    ///
    /// - Returns: how many columns there are; 0 for an empty body, which is that of NoData.
    package static func shapes(body: RawSpan, _ use: (RawSpan) -> Void) throws(WireError) -> Int {
        if body.isEmpty { return 0 }
        var reader = WireReader(body)
        let count = try reader.readCount(minimum: 19)
        for _ in 0..<count {
            use(body.extracting(try reader.readText()))
            _ = try reader.readRange(6)
            use(body.extracting(try reader.readRange(10)))
            _ = try reader.readRange(2)
        }
        return count
    }

    package func encode(into bytes: inout [UInt8]) {
        precondition(columns.count <= Int(UInt16.max), "A row has at most 65535 columns.")
        bytes.appendMessage(BackendTag.rowDescription.rawValue) { bytes in
            bytes.append16(UInt16(columns.count))
            for column in columns {
                bytes.appendText(column.name)
                bytes.append32(column.table)
                bytes.append16(UInt16(bitPattern: column.attribute))
                bytes.append32(column.type)
                bytes.append16(UInt16(bitPattern: column.typeSize))
                bytes.append32(UInt32(bitPattern: column.typeModifier))
                bytes.append16(column.format.rawValue)
            }
        }
    }
}
