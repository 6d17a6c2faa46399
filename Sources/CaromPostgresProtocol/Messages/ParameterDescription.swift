// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `t`: the parameter types of a prepared statement.
package struct ParameterDescription: Equatable, Sendable {
    /// Type OIDs.
    package var types: [UInt32]

    package init(types: [UInt32]) { self.types = types }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let count = try reader.readCount(minimum: 4)
        types = []
        types.reserveCapacity(count)
        for _ in 0..<count { types.append(try reader.readUInt32()) }
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        precondition(types.count <= Int(UInt16.max), "A statement has at most 65535 parameters.")
        bytes.appendMessage(BackendTag.parameterDescription.rawValue) { bytes in
            bytes.append16(UInt16(types.count))
            for type in types { bytes.append32(type) }
        }
    }
}
