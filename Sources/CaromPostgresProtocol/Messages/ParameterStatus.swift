// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `S`: the server reports the value of a setting.
package struct ParameterStatus: Equatable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let name = try reader.readText()
        let value = try reader.readText()
        try reader.finish()
        self.name = body.repairedText(name)
        self.value = body.repairedText(value)
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.parameterStatus.rawValue) { bytes in
            bytes.appendText(name)
            bytes.appendText(value)
        }
    }
}
