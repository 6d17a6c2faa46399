// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `Z`: the server has finished what it was asked and takes the next request.
package struct ReadyForQuery: Equatable, Sendable {
    package var status: TransactionStatus

    package init(status: TransactionStatus) { self.status = status }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let byte = try reader.readUInt8()
        guard let status = TransactionStatus(rawValue: byte) else { throw .invalidValue(Int(byte)) }
        self.status = status
        try reader.finish()
    }

    /// The whole message outside a transaction block.
    package static let idleMessage: [UInt8] = {
        var bytes: [UInt8] = []
        ReadyForQuery(status: .idle).encode(into: &bytes)
        return bytes
    }()

    package func encode(into bytes: inout [UInt8]) {
        bytes.append(BackendTag.readyForQuery.rawValue)
        bytes.append32(5)
        bytes.append(status.rawValue)
    }
}
