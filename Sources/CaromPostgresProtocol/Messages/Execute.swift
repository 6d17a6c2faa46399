// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `E` from a client: runs a portal.
package struct Execute: Hashable, Sendable {
    /// Empty for the unnamed portal.
    package var portal: [UInt8]
    /// At most this many rows, then PortalSuspended; 0 is all.
    package var limit: UInt32

    package init(portal: [UInt8] = [], limit: UInt32 = 0) {
        self.portal = portal
        self.limit = limit
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        portal = try reader.readTextBytes()
        limit = try reader.readUInt32()
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.execute.rawValue) { bytes in
            bytes.appendText(portal)
            bytes.append32(limit)
        }
    }
}
