// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Decides what the packets without a type byte mean that a client begins with (PostgreSQL protocol, "Start-up").
struct StartupMachine {
    enum Step: Equatable {
        /// The next packet has not come in full.
        case needMore
        /// The client asks for encryption, which this listener does not speak: the answer is `N`.
        case refuseEncryption
        /// A session is wanted.
        case begin(StartupMessage)
        /// Another client's query is to be cancelled; the connection has no other purpose.
        case cancel(CancelRequest)
    }

    /// Each may be asked for once.
    private var hasAskedForTLS = false
    private var hasAskedForGSS = false

    /// Reads the next packet of `input`; `consumed` is its length, 0 if it has not come in full.
    mutating func next(in input: RawSpan, consumed: inout Int) throws(SessionEnd) -> Step {
        consumed = 0
        switch Framing.startupPacket(in: input) {
        case .needMore: return .needMore
        case .directTLS:
            throw .fatal(.featureNotSupported, "direct TLS is not supported by this listener")
        case .invalid(let error):
            throw .fatal(.protocolViolation, "invalid startup packet: \(error)")
        case .packet(let length):
            consumed = length
            return try meaning(of: input.extracting(0..<length), bytesBehind: input.byteCount - length)
        }
    }

    private mutating func meaning(of packet: RawSpan, bytesBehind: Int) throws(SessionEnd) -> Step {
        let decoded: StartupPacket
        do throws(StartupError) {
            decoded = try StartupPacket.decode(packet)
        } catch {
            throw .fatal(error.sqlState, "\(error)")
        }
        switch decoded {
        case .startup(let message): return .begin(message)
        case .cancel(let request): return .cancel(request)
        case .sslRequest:
            if hasAskedForTLS { throw .fatal(.protocolViolation, "a second request for TLS") }
            hasAskedForTLS = true
            return try refuse("TLS", bytesBehind)
        case .gssEncRequest:
            if hasAskedForGSS { throw .fatal(.protocolViolation, "a second request for GSSAPI encryption") }
            hasAskedForGSS = true
            return try refuse("GSSAPI encryption", bytesBehind)
        }
    }

    /// Bytes behind the request were sent before its answer could be known: an attacker in between may have put them there
    /// (the class of CVE-2021-23214).
    private func refuse(_ what: String, _ bytesBehind: Int) throws(SessionEnd) -> Step {
        if bytesBehind > 0 {
            throw .fatal(.protocolViolation, "received unencrypted data after the request for \(what)")
        }
        return .refuseEncryption
    }
}
