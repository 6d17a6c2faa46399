// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `B`: makes a portal from a prepared statement and values.
package struct Bind: Equatable, Sendable {
    /// Empty for the unnamed portal.
    package var portal: [UInt8]
    /// Empty for the unnamed statement.
    package var statement: [UInt8]
    /// None: all text. One: for all. Otherwise one a value.
    package var parameterFormats: [ValueFormat]
    /// Nil is SQL null.
    package var parameters: [[UInt8]?]
    /// None: all text. One: for all. Otherwise one a column.
    package var resultFormats: [ValueFormat]

    package init(
        portal: [UInt8] = [], statement: [UInt8], parameterFormats: [ValueFormat] = [],
        parameters: [[UInt8]?] = [], resultFormats: [ValueFormat] = []
    ) {
        self.portal = portal
        self.statement = statement
        self.parameterFormats = parameterFormats
        self.parameters = parameters
        self.resultFormats = resultFormats
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        portal = try reader.readTextBytes()
        statement = try reader.readTextBytes()
        parameterFormats = try ValueFormat.readList(&reader)
        let count = try reader.readCount(minimum: 4)
        parameters = []
        parameters.reserveCapacity(count)
        for _ in 0..<count {
            let value = try reader.readValue()
            parameters.append(value.map { body.array($0) })
        }
        resultFormats = try ValueFormat.readList(&reader)
        try reader.finish()
    }

    /// Where the names stand, for a relay that renames the statement. The beginning of a body is enough.
    package struct Names: Equatable, Sendable {
        package let portal: Range<Int>
        package let statement: Range<Int>
        /// Where what follows the names begins.
        package let rest: Int

        package init(body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            portal = try reader.readText()
            statement = try reader.readText()
            rest = reader.position
        }
    }

    package func encode(into bytes: inout [UInt8]) {
        precondition(parameters.count <= Int(UInt16.max), "A Bind has at most 65535 parameters.")
        bytes.appendMessage(FrontendTag.bind.rawValue) { bytes in
            bytes.appendText(portal)
            bytes.appendText(statement)
            ValueFormat.appendList(parameterFormats, to: &bytes)
            bytes.append16(UInt16(parameters.count))
            for value in parameters { bytes.appendValue(value) }
            ValueFormat.appendList(resultFormats, to: &bytes)
        }
    }

    /// Writes the header and names of a Bind whose remaining `restCount` bytes the caller sends behind it
    /// unchanged.
    package static func encodeNames(
        portal: RawSpan, statement: [UInt8], restCount: Int, into bytes: inout [UInt8]
    ) {
        bytes.append(FrontendTag.bind.rawValue)
        bytes.append32(UInt32(4 + portal.byteCount + 1 + statement.count + 1 + restCount))
        portal.withUnsafeBytes { bytes.append(contentsOf: $0) }
        bytes.append(0)
        bytes.append(contentsOf: statement)
        bytes.append(0)
    }
}

/// How a value is written.
package enum ValueFormat: UInt16, Sendable {
    case text = 0
    case binary = 1

    static func read(_ reader: inout WireReader) throws(WireError) -> ValueFormat {
        let code = try reader.readUInt16()
        guard let format = ValueFormat(rawValue: code) else { throw .invalidValue(Int(code)) }
        return format
    }

    static func readList(_ reader: inout WireReader) throws(WireError) -> [ValueFormat] {
        let count = try reader.readCount(minimum: 2)
        var formats: [ValueFormat] = []
        formats.reserveCapacity(count)
        for _ in 0..<count { formats.append(try read(&reader)) }
        return formats
    }

    static func appendList(_ formats: [ValueFormat], to bytes: inout [UInt8]) {
        precondition(formats.count <= Int(UInt16.max), "A message has at most 65535 format codes.")
        bytes.append16(UInt16(formats.count))
        for format in formats { bytes.append16(format.rawValue) }
    }
}
