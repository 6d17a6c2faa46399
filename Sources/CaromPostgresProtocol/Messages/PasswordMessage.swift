// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `p` as the answer to a password request. Which `p` it is only the request tells.
package struct PasswordMessage: Equatable, Sendable {
    /// The password, or its MD5 response. A secret: the description does not show it.
    package var password: [UInt8]

    package init(password: [UInt8]) { self.password = password }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        password = try reader.readTextBytes()
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.password.rawValue) { $0.appendText(password) }
    }
}

extension PasswordMessage: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "PasswordMessage(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// `p` as the first message of a SASL exchange.
package struct SASLInitialResponse: Equatable, Sendable {
    package var mechanism: String
    /// Nil if the client leaves the first word to the server.
    package var data: [UInt8]?

    package init(mechanism: String, data: [UInt8]?) {
        self.mechanism = mechanism
        self.data = data
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        mechanism = body.repairedText(try reader.readText())
        data = try reader.readValue().map { body.array($0) }
        try reader.finish()
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.password.rawValue) { bytes in
            bytes.appendText(mechanism)
            bytes.appendValue(data)
        }
    }
}

/// `p` as any later message of a SASL exchange: the body is the message.
package enum SASLResponse {
    package static func encode(_ data: [UInt8], into bytes: inout [UInt8]) {
        bytes.appendMessage(FrontendTag.password.rawValue) { $0.append(contentsOf: data) }
    }
}
