// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

extension ClientSession {
    /// Stage 1, startup: packets without a type byte, until one that begins a session (PostgreSQL protocol, "Start-up").
    ///
    /// A CancelRequest (stage 2) is carried out here and ends the session.
    @inline(never)
    func receiveStartup() async throws(SessionEnd) {
        var encryption = AskedEncryption()
        while true {
            switch try takeStartupPacket(&encryption) {
            case .complete: return
            case .more: try await fillInput()
            case .cancel(let request):
                await worker.cancels.forward(request)
                throw .terminated
            }
        }
    }

    /// What the client has asked for before its startup message; each may be asked for once.
    private struct AskedEncryption {
        var tls = false
        var gss = false
    }

    private enum StartupProgress {
        case more
        case complete
        case cancel(CancelRequest)
    }

    @inline(never)
    private func takeStartupPacket(_ asked: inout AskedEncryption) throws(SessionEnd) -> StartupProgress {
        switch try nextStartupPacket() {
        case nil: return .more
        case .startup(let message):
            startup = message
            return .complete
        case .cancel(let request): return .cancel(request)
        case .sslRequest:
            if asked.tls { throw .fatal(.protocolViolation, "a second request for TLS") }
            asked.tls = true
            try refuseEncryption("TLS")
        case .gssEncRequest:
            if asked.gss { throw .fatal(.protocolViolation, "a second request for GSSAPI encryption") }
            asked.gss = true
            try refuseEncryption("GSSAPI encryption")
        }
        return .more
    }

    /// Answers `N`. Bytes behind the request were sent before the answer could be known: whoever does that, it is not a client
    /// to be trusted (the class of CVE-2021-23214).
    private func refuseEncryption(_ what: String) throws(SessionEnd) {
        if !input.isEmpty {
            throw .fatal(.protocolViolation, "received unencrypted data after the request for \(what)")
        }
        try send([UInt8(ascii: "N")])
    }

    /// The next packet, if it has come in full.
    private func nextStartupPacket() throws(SessionEnd) -> StartupPacket? {
        switch Framing.startupPacket(in: input.span.bytes) {
        case .packet(let length):
            defer { input.removeFirst(length) }
            do throws(StartupError) {
                return try StartupPacket.decode(input.span.bytes.extracting(0..<length))
            } catch {
                throw .fatal(error.sqlState, "\(error)")
            }
        case .needMore: return nil
        case .directTLS:
            throw .fatal(.featureNotSupported, "direct TLS is not supported by this listener")
        case .invalid(let error):
            throw .fatal(.protocolViolation, "invalid startup packet: \(error)")
        }
    }

    /// The next message of the authentication, which must be of type `p`.
    func receivePassword() async throws(SessionEnd) -> [UInt8] {
        while true {
            if let body = try takePassword() { return body }
            try await fillInput()
        }
    }

    @inline(never)
    private func takePassword() throws(SessionEnd) -> [UInt8]? {
        switch Framing.next(in: input.span.bytes, limit: 10_000) {
        case .needMore: return nil
        case .invalid(let error): throw .fatal(.protocolViolation, "\(error)")
        case .frame(let header):
            guard header.tag == FrontendTag.password.rawValue else {
                if header.tag == FrontendTag.terminate.rawValue { throw .terminated }
                throw .fatal(
                    .protocolViolation,
                    "expected a password message, got message type \(tagText(header.tag))")
            }
            guard input.count >= header.length else { return nil }
            defer { input.removeFirst(header.length) }
            return Array(input[Framing.headerSize..<header.length])
        }
    }
}
