// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `A`: somebody called NOTIFY on a channel this session listens to.
package struct NotificationResponse: Equatable, Sendable {
    package var processID: UInt32
    package var channel: String
    package var payload: String

    package init(processID: UInt32, channel: String, payload: String) {
        self.processID = processID
        self.channel = channel
        self.payload = payload
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        processID = try reader.readUInt32()
        channel = body.repairedText(try reader.readText())
        payload = body.repairedText(try reader.readText())
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.notificationResponse.rawValue) { bytes in
            bytes.append32(processID)
            bytes.appendText(channel)
            bytes.appendText(payload)
        }
    }
}
