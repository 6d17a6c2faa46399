// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `F`: calls a function by its OID (the fast path of old; libpq's large objects still use it).
package struct FunctionCall: Equatable, Sendable {
    package var function: UInt32
    package var argumentFormats: [ValueFormat]
    /// Nil is SQL null.
    package var arguments: [[UInt8]?]
    package var resultFormat: ValueFormat

    package init(
        function: UInt32, argumentFormats: [ValueFormat] = [], arguments: [[UInt8]?],
        resultFormat: ValueFormat = .text
    ) {
        self.function = function
        self.argumentFormats = argumentFormats
        self.arguments = arguments
        self.resultFormat = resultFormat
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        function = try reader.readUInt32()
        argumentFormats = try ValueFormat.readList(&reader)
        let count = try reader.readCount(minimum: 4)
        arguments = []
        for _ in 0..<count {
            let value = try reader.readValue()
            arguments.append(value.map { body.array($0) })
        }
        resultFormat = try ValueFormat.read(&reader)
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        precondition(arguments.count <= Int(UInt16.max), "A call has at most 65535 arguments.")
        bytes.appendMessage(FrontendTag.functionCall.rawValue) { bytes in
            bytes.append32(function)
            ValueFormat.appendList(argumentFormats, to: &bytes)
            bytes.append16(UInt16(arguments.count))
            for value in arguments { bytes.appendValue(value) }
            bytes.append16(resultFormat.rawValue)
        }
    }
}

/// `V`: what the function returned.
package struct FunctionCallResponse: Equatable, Sendable {
    /// Nil is SQL null.
    package var value: [UInt8]?

    package init(value: [UInt8]?) { self.value = value }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        value = try reader.readValue().map { body.array($0) }
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.functionCallResponse.rawValue) { $0.appendValue(value) }
    }
}
