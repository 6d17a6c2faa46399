// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `v`: the server speaks less than the client asked for, and goes on with that.
package struct NegotiateProtocolVersion: Equatable, Sendable {
    /// The version the session will have. PostgreSQL sends the whole code word, not the minor number alone.
    package var version: ProtocolVersion
    /// `_pq_.` names of the start-up packet that mean nothing to the server.
    package var unrecognised: [String]

    package init(version: ProtocolVersion, unrecognised: [String]) {
        self.version = version
        self.unrecognised = unrecognised
    }

    /// Reads the body. A bare minor number is taken for one of protocol 3.
    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let word = try reader.readUInt32()
        version = word < 0x1_0000 ? ProtocolVersion(3, UInt16(word)) : ProtocolVersion(code: word)
        let count = Int(try reader.readInt32())
        guard count >= 0, count <= reader.remaining else { throw .invalidCount(count) }
        unrecognised = []
        for _ in 0..<count {
            unrecognised.append(body.repairedText(try reader.readText()))
        }
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.negotiateProtocolVersion.rawValue) { bytes in
            bytes.append32(version.code)
            bytes.append32(UInt32(unrecognised.count))
            for name in unrecognised { bytes.appendText(name) }
        }
    }
}
