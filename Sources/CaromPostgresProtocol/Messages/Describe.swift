// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a Describe or Close is about.
package enum DescribeTarget: UInt8, Sendable {
    /// `S`: a prepared statement.
    case statement = 0x53
    /// `P`: a portal.
    case portal = 0x50
}

/// The body that Describe (`D`) and Close (`C`) share: a kind and a name.
package struct NamedObject: Hashable, Sendable {
    package var target: DescribeTarget
    /// Empty for the unnamed one.
    package var name: [UInt8]

    package init(_ target: DescribeTarget, name: [UInt8]) {
        self.target = target
        self.name = name
    }

    package init(_ target: DescribeTarget, name: String) {
        self.init(target, name: Array(name.utf8))
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let kind = try reader.readUInt8()
        guard let target = DescribeTarget(rawValue: kind) else { throw .invalidValue(Int(kind)) }
        self.target = target
        name = try reader.readTextBytes()
        try reader.finish()
    }

    /// Writes a Describe.
    package func encodeDescribe(into bytes: inout [UInt8]) { encode(.describe, into: &bytes) }

    /// Writes a Close.
    package func encodeClose(into bytes: inout [UInt8]) { encode(.close, into: &bytes) }

    private func encode(_ tag: FrontendTag, into bytes: inout [UInt8]) {
        bytes.appendMessage(tag.rawValue) { bytes in
            bytes.append(target.rawValue)
            bytes.appendText(name)
        }
    }
}
