// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Decides what the packets without a type byte mean that a client begins with (PostgreSQL protocol, "Start-up").
struct StartupMachine {
    /// What a listener says of encryption.
    enum Encryption: Equatable {
        /// It has none.
        case none
        /// Clients choose.
        case offered
        /// Sessions need it. Cancels do not, as with PostgreSQL: clients before libpq 17 send them in the open.
        case required
    }

    enum Step: Equatable {
        /// The next packet has not come in full.
        case needMore
        /// The client asks for encryption that it does not get: the answer is `N`.
        case refuseEncryption
        /// The client asks for TLS and gets it: the answer is `S`, and the handshake follows.
        case acceptTLS
        /// The client has begun with the handshake. None of it is consumed.
        case beginTLS
        /// A session is wanted.
        case begin(StartupMessage)
        /// Another client's query is to be cancelled; the connection has no other purpose.
        case cancel(CancelRequest)
    }

    private let encryption: Encryption
    /// Each may be asked for once.
    private var hasAskedForTLS = false
    private var hasAskedForGSS = false
    /// TLS was agreed on; what comes now comes through it.
    private var isEncrypted = false

    /// - Parameter encryption: what the listener has.
    init(_ encryption: Encryption) { self.encryption = encryption }

    /// Reads the next packet of `input`; `consumed` is its length, 0 if it has not come in full.
    mutating func next(in input: RawSpan, consumed: inout Int) throws(SessionEnd) -> Step {
        consumed = 0
        switch Framing.startupPacket(in: input) {
        case .needMore: return .needMore
        case .directTLS: return try beginTLS()
        case .invalid(let error):
            throw .fatal(.protocolViolation, "invalid startup packet: \(error)")
        case .packet(let length):
            consumed = length
            return try meaning(of: input.extracting(0..<length), bytesBehind: input.byteCount - length)
        }
    }

    /// Lets a client in whose startup message was understood.
    ///
    /// - Throws: the refusal of one that comes in the open where that is not allowed.
    func admit() throws(SessionEnd) {
        guard encryption != .required || isEncrypted else {
            throw .fatal(
                .invalidAuthorization, "connections to this listener need TLS", hint: "set sslmode=require")
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
        case .startup(let message):
            try admit()
            return .begin(message)
        case .cancel(let request): return .cancel(request)
        case .sslRequest:
            if hasAskedForTLS { throw .fatal(.protocolViolation, "a second request for TLS") }
            hasAskedForTLS = true
            try expectNothing(behind: "TLS", bytesBehind)
            if encryption == .none || isEncrypted { return .refuseEncryption }
            isEncrypted = true
            return .acceptTLS
        case .gssEncRequest:
            if hasAskedForGSS { throw .fatal(.protocolViolation, "a second request for GSSAPI encryption") }
            hasAskedForGSS = true
            try expectNothing(behind: "GSSAPI encryption", bytesBehind)
            return .refuseEncryption
        }
    }

    /// The handshake itself may only be the first thing that is said.
    private mutating func beginTLS() throws(SessionEnd) -> Step {
        if encryption == .none {
            throw .fatal(.featureNotSupported, "direct TLS is not supported by this listener")
        }
        if isEncrypted || hasAskedForTLS || hasAskedForGSS {
            throw .fatal(.protocolViolation, "a TLS handshake in the place of a startup packet")
        }
        isEncrypted = true
        return .beginTLS
    }

    /// Bytes behind the request were sent before its answer could be known: an attacker in between may have put them there
    /// (the class of CVE-2021-23214).
    private func expectNothing(behind what: String, _ bytesBehind: Int) throws(SessionEnd) {
        if bytesBehind > 0 {
            throw .fatal(.protocolViolation, "received unencrypted data after the request for \(what)")
        }
    }
}
