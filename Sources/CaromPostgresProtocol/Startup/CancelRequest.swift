// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The packet that asks, over a connection of its own, to cancel what another connection does.
///
/// It holds a secret: whoever knows the key can cancel. Its description does not show it.
package struct CancelRequest: Hashable, Sendable {
    /// Code word in the place of the protocol version.
    package static let code: UInt32 = 80_877_102

    /// The process number from BackendKeyData.
    package var processID: UInt32
    /// The key from BackendKeyData: four bytes in protocol 3.0, up to 256 in 3.2.
    package var key: [UInt8]

    package init(processID: UInt32, key: [UInt8]) {
        self.processID = processID
        self.key = key
    }

    /// Writes the packet, which has no type byte.
    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMeasured { bytes in
            bytes.append32(Self.code)
            bytes.append32(processID)
            bytes.append(contentsOf: key)
        }
    }
}

extension CancelRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "CancelRequest(process \(processID), key of \(key.count) bytes)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["processID": processID]) }
}
