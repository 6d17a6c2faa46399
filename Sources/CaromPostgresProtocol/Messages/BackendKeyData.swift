// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `K`: what a CancelRequest for this session must carry. The key is a secret and is not described.
package struct BackendKeyData: Hashable, Sendable {
    package var processID: UInt32
    /// Four bytes in protocol 3.0, 4 to 256 in 3.2.
    package var key: [UInt8]

    package init(processID: UInt32, key: [UInt8]) {
        self.processID = processID
        self.key = key
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        processID = try reader.readUInt32()
        let rest = reader.readRest()
        guard (4...256).contains(rest.count) else { throw .invalidCount(rest.count) }
        key = body.array(rest)
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.backendKeyData.rawValue) { bytes in
            bytes.append32(processID)
            bytes.append(contentsOf: key)
        }
    }

    /// The packet that cancels this session's work.
    package var cancelRequest: CancelRequest { CancelRequest(processID: processID, key: key) }
}

extension BackendKeyData: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "BackendKeyData(process \(processID), key of \(key.count) bytes)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["processID": processID]) }
}
