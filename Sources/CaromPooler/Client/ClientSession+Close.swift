// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

extension ClientSession {
    /// Stage 6, cleanup: the client is told why, everything it held goes back, the socket is closed.
    func close(_ end: SessionEnd) async {
        if let cancelKey { worker.cancels.remove(cancelKey) }
        abandonClaim()
        // A cancel that is on its way must not find the server with somebody else.
        while cancelsUnderWay > 0 { await waker.wait() }
        if let server {
            if route?.resetsOnLeave == true { server.state.value.needsReset = true }
            detach()
        }
        let fields = farewell(end)
        if let fields {
            worker.log.error(
                "\(fields.code?.description ?? "-----") \(fields.message ?? "")", in: context(.cleanup))
            var bytes: [UInt8] = []
            describe(fields).encode(into: &bytes)
            try? send(bytes)
        }
        leave()
        if fields != nil { await linger() }
        worker.reactor.disarm(timer)
        stream.close()
    }

    private func farewell(_ end: SessionEnd) -> ErrorFields? {
        switch end {
        case .terminated, .clientLeft: nil
        case .refused(let fields): fields
        case .loginTimedOut:
            ErrorFields(
                severity: .fatal, code: .protocolViolation,
                message:
                    "login timed out after \(listener.settings.clientLoginTimeout) (client_login_timeout)")
        case .shutdown:
            ErrorFields(severity: .fatal, code: .adminShutdown, message: "the pooler is shutting down")
        }
    }

    /// Waits a moment for the client to take what it was told and to hang up.
    ///
    /// Closing a socket with unread bytes in it resets the connection, and what was written last is lost with it: so what
    /// the client still sends is read and dropped.
    private func linger() async {
        let deadline = Deadline.now + Self.lingerTime
        worker.reactor.arm(timer, at: deadline)
        var isShut = false
        while .now < deadline {
            guard (try? output.flush(to: stream)) != nil else { return }
            if output.isEmpty, !isShut {
                stream.shutdownWriting()
                isShut = true
            }
            guard let outcome = try? stream.read(into: worker.buffer), outcome != .end else { return }
            // A client that never stops sending gets one buffer a turn.
            if outcome == .wouldBlock { await waker.wait() } else { await worker.reactor.nextTurn() }
        }
    }

    private static var lingerTime: Duration { .seconds(1) }

    /// Puts the client's id into an error of our own.
    func describe(_ fields: ErrorFields) -> ErrorFields {
        guard showsID else { return fields }
        return ErrorFields(
            severity: fields.severity ?? .error, code: fields.code ?? .internalError,
            message: "carom: \(id): \(fields.message ?? "unknown error")", detail: fields.detail,
            hint: fields.hint)
    }
}
