// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import PostgresProtocol
import Reactor

extension ClientSession {
    /// Stage 6, cleanup: the client is told why, everything it held goes back, the socket is closed.
    func close(_ end: SessionEnd) async {
        abandonClaim()
        if let server {
            if route?.resetsOnLeave == true { server.state.value.needsReset = true }
            detach()
        }
        if let cancelKey { worker.cancels.remove(cancelKey) }
        if let fields = farewell(end) {
            worker.log.error(
                "\(fields.code?.description ?? "-----") \(fields.message ?? "")", in: context(.cleanup))
            var bytes: [UInt8] = []
            describe(fields).encode(into: &bytes)
            try? send(bytes)
        }
        await lingering()
        worker.reactor.disarm(timer)
        leave()
        stream.close()
    }

    private func farewell(_ end: SessionEnd) -> ErrorFields? {
        switch end {
        case .terminated, .clientLeft: nil
        case .refused(let fields): fields
        case .loginTimedOut:
            ErrorFields(
                severity: .fatal, code: .protocolViolation,
                message: "login timed out after \(listener.clientLoginTimeout) (client_login_timeout)")
        case .shutdown:
            ErrorFields(severity: .fatal, code: .adminShutdown, message: "the pooler is shutting down")
        }
    }

    /// Waits a moment for a slow client to take what it was told.
    private func lingering() async {
        guard !output.isEmpty else { return }
        let deadline = Reactor.now + Self.lingerNanoseconds
        worker.reactor.arm(timer, at: deadline)
        while !output.isEmpty, !stream.isHungUp, Reactor.now < deadline {
            await waker.wait()
            guard (try? output.flush(to: stream)) != nil else { return }
        }
    }

    private static var lingerNanoseconds: UInt64 { 1_000_000_000 }

    /// Puts the client's id into an error of our own.
    func describe(_ fields: ErrorFields) -> ErrorFields {
        guard route?.settings.clientShowID ?? true else { return fields }
        return ErrorFields(
            severity: fields.severity ?? .error, code: fields.code ?? .internalError,
            message: "carom: \(id): \(fields.message ?? "unknown error")", detail: fields.detail,
            hint: fields.hint)
    }
}
