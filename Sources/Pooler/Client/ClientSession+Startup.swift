// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import PostgresProtocol

extension ClientSession {
    /// Stage 1, startup: packets without a type byte, until one that begins a session (PostgreSQL protocol, "Start-up").
    ///
    /// A CancelRequest (stage 2) is carried out here and ends the session.
    func receiveStartup() async throws(SessionEnd) -> StartupMessage {
        var askedForTLS = false
        var askedForGSS = false
        while true {
            switch try await receiveStartupPacket() {
            case .startup(let message):
                return message
            case .cancel(let request):
                await worker.cancels.forward(request)
                throw .terminated
            case .sslRequest:
                if askedForTLS { throw .fatal(.protocolViolation, "a second request for TLS") }
                askedForTLS = true
                try refuseEncryption("TLS")
            case .gssEncRequest:
                if askedForGSS { throw .fatal(.protocolViolation, "a second request for GSSAPI encryption") }
                askedForGSS = true
                try refuseEncryption("GSSAPI encryption")
            }
        }
    }

    /// Answers `N`. Bytes behind the request were sent before the answer could be known: whoever does that, it is not a client
    /// to be trusted (the class of CVE-2021-23214).
    private func refuseEncryption(_ what: String) throws(SessionEnd) {
        if !input.isEmpty {
            throw .fatal(.protocolViolation, "received unencrypted data after the request for \(what)")
        }
        try send([UInt8(ascii: "N")])
    }

    private func receiveStartupPacket() async throws(SessionEnd) -> StartupPacket {
        while true {
            switch Framing.startupPacket(in: input.span.bytes) {
            case .packet(let length):
                defer { input.removeFirst(length) }
                do throws(StartupError) {
                    return try StartupPacket.decode(input.span.bytes.extracting(0..<length))
                } catch {
                    throw .fatal(error.sqlState, "\(error)")
                }
            case .needMore: try await fillInput()
            case .directTLS:
                throw .fatal(.featureNotSupported, "direct TLS is not supported by this listener")
            case .invalid(let error):
                throw .fatal(.protocolViolation, "invalid startup packet: \(error)")
            }
        }
    }

    /// The next message of the authentication, which must be of type `p`.
    func receivePassword() async throws(SessionEnd) -> [UInt8] {
        while true {
            switch Framing.next(in: input.span.bytes, limit: 10_000) {
            case .needMore: try await fillInput()
            case .invalid(let error): throw .fatal(.protocolViolation, "\(error)")
            case .frame(let header):
                guard header.tag == FrontendTag.password.rawValue else {
                    if header.tag == FrontendTag.terminate.rawValue { throw .terminated }
                    throw .fatal(
                        .protocolViolation,
                        "expected a password message, got message type \(tagText(header.tag))")
                }
                guard input.count >= header.length else {
                    try await fillInput()
                    continue
                }
                defer { input.removeFirst(header.length) }
                return Array(input[Framing.headerSize..<header.length])
            }
        }
    }
}
