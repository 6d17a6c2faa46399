// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `R`: what the server wants to see before it believes who the client is.
package enum AuthenticationRequest: Equatable, Sendable {
    /// The client is who it says.
    case ok
    /// The password as it is.
    case cleartextPassword
    /// The password hashed with the user's name and this four-byte salt.
    case md5Password(salt: [UInt8])
    /// SASL with one of these mechanisms, the server's favourite first.
    case sasl(mechanisms: [String])
    /// The next SASL message.
    case saslContinue([UInt8])
    /// The last SASL message.
    case saslFinal([UInt8])
    /// Kerberos, GSSAPI, SSPI and whatever comes: known by number, not spoken here.
    case unsupported(UInt32)

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let kind = try reader.readUInt32()
        switch kind {
        case 0:
            self = .ok
            try reader.finish()
        case 3:
            self = .cleartextPassword
            try reader.finish()
        case 5:
            self = .md5Password(salt: body.array(try reader.readRange(4)))
            try reader.finish()
        case 10:
            self = .sasl(mechanisms: try Self.mechanisms(&reader))
        case 11: self = .saslContinue(body.array(reader.readRest()))
        case 12: self = .saslFinal(body.array(reader.readRest()))
        default: self = .unsupported(kind)
        }
    }

    private static func mechanisms(_ reader: inout WireReader) throws(WireError) -> [String] {
        var names: [String] = []
        while true {
            let name = try reader.readText()
            if name.isEmpty { break }
            names.append(reader.bytes.repairedText(name))
        }
        try reader.finish()
        return names
    }

    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.authentication.rawValue) { bytes in
            switch self {
            case .ok: bytes.append32(0)
            case .cleartextPassword: bytes.append32(3)
            case .md5Password(let salt):
                precondition(salt.count == 4, "The salt of MD5 authentication has four bytes.")
                bytes.append32(5)
                bytes.append(contentsOf: salt)
            case .sasl(let mechanisms):
                bytes.append32(10)
                for name in mechanisms { bytes.appendText(name) }
                bytes.append(0)
            case .saslContinue(let data):
                bytes.append32(11)
                bytes.append(contentsOf: data)
            case .saslFinal(let data):
                bytes.append32(12)
                bytes.append(contentsOf: data)
            case .unsupported(let kind): bytes.append32(kind)
            }
        }
    }
}
