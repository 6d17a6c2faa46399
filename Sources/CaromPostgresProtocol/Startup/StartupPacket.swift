// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The packet that opens a connection, told apart by its code word.
package enum StartupPacket: Equatable, Sendable {
    /// A session is wanted.
    case startup(StartupMessage)
    /// TLS is wanted first. Bytes behind this packet were sent without encryption and must not be read as
    /// what follows it.
    case sslRequest
    /// GSSAPI encryption is wanted first; the same holds for bytes behind it.
    case gssEncRequest
    /// Another connection's work shall be cancelled.
    case cancel(CancelRequest)

    /// Code words in the place of the protocol version.
    package static let sslRequestCode: UInt32 = 80_877_103
    package static let gssEncRequestCode: UInt32 = 80_877_104

    /// Reads a whole packet, as long as `Framing.startupPacket` said it is.
    package static func decode(_ packet: RawSpan) throws(StartupError) -> StartupPacket {
        var reader = WireReader(packet)
        let code: UInt32
        do throws(WireError) {
            let length = try reader.readUInt32()
            guard Int(length) == packet.byteCount else { throw .invalidCount(Int(length)) }
            code = try reader.readUInt32()
        } catch {
            throw .malformed(error)
        }
        switch code {
        case sslRequestCode:
            try expectEnd(reader)
            return .sslRequest
        case gssEncRequestCode:
            try expectEnd(reader)
            return .gssEncRequest
        case CancelRequest.code:
            return .cancel(try cancelRequest(&reader))
        default:
            let version = ProtocolVersion(code: code)
            guard version.major == 3 else { throw .unsupportedVersion(version) }
            return .startup(try StartupMessage(version: version, body: packet.extracting(droppingFirst: 8)))
        }
    }

    /// Writes the packet that asks for TLS.
    package static func encodeSSLRequest(into bytes: inout [UInt8]) {
        bytes.append32(8)
        bytes.append32(sslRequestCode)
    }

    /// Writes the packet that asks for GSSAPI encryption.
    package static func encodeGSSEncRequest(into bytes: inout [UInt8]) {
        bytes.append32(8)
        bytes.append32(gssEncRequestCode)
    }

    private static func expectEnd(_ reader: borrowing WireReader) throws(StartupError) {
        do throws(WireError) { try reader.finish() } catch { throw .malformed(error) }
    }

    private static func cancelRequest(_ reader: inout WireReader) throws(StartupError) -> CancelRequest {
        do throws(WireError) {
            let processID = try reader.readUInt32()
            let key = reader.readRest()
            guard (4...256).contains(key.count) else { throw .invalidCount(key.count) }
            return CancelRequest(processID: processID, key: reader.bytes.array(key))
        } catch .invalidCount(let length) {
            throw .invalidCancelKey(length: length)
        } catch {
            throw .malformed(error)
        }
    }
}
