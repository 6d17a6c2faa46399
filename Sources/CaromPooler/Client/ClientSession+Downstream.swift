// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// From the server to the client.
extension ClientSession {
    /// Reads what the server has sent and passes it on. `true`: something was done.
    func receiveFromServer() throws(SessionEnd) -> Bool {
        guard let server, output.isEmpty else { return false }
        let state = server.state
        guard server.transport.isReadable else {
            // A write has failed and nothing is left to be read that would say why.
            guard state.value.hasFailed, let failure = state.value.failure else { return false }
            try loseServer(server, failure.message)
            return true
        }
        let kept = state.value.input.count
        if kept > 0 {
            state.value.input.withUnsafeBytes { buffer.copyMemory(from: $0) }
            state.value.input.removeAll(keepingCapacity: false)
        }
        let outcome: ReadOutcome
        do throws(SystemError) {
            outcome = try server.transport.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
        } catch {
            try loseServer(server, "\(error)")
            return true
        }
        switch outcome {
        case .bytes(let count): try pass(UnsafeRawBufferPointer(rebasing: buffer[..<(kept + count)]), server)
        case .wouldBlock: state.value.input = Array(buffer[..<kept])
        case .end: try loseServer(server, "the server closed the connection")
        }
        return true
    }

    private func pass(_ chunk: UnsafeRawBufferPointer, _ server: PostgresConnection) throws(SessionEnd) {
        let state = server.state
        let absorbed = state.value.absorb(RawSpan(_unsafeBytes: chunk), rules: worker.snapshot.serverFrames)
        if absorbed.consumed < chunk.count, !absorbed.isBroken {
            state.value.input = Array(chunk[absorbed.consumed...])
        }
        if !absorbed.visible.isEmpty {
            let visible = UnsafeRawBufferPointer(rebasing: chunk[absorbed.visible])
            counters?.sent(visible.count, queries: absorbed.completed, transactions: absorbed.transactions)
            do {
                try output.write(visible, to: stream)
            } catch {
                throw .clientLeft
            }
        }
        if absorbed.isBroken {
            return try loseServer(server, state.value.failure?.message ?? "it broke the protocol")
        }
        if let error = state.value.hiddenError, state.value.hiddenReplies == 0 {
            state.value.hiddenError = nil
            // Nobody knows which of the settings it has now.
            state.value.needsReset = true
            throw .refused(refusedParameters(error))
        }
        if grant == .asked {
            if state.value.hiddenReplies == 0 { try noteGrant(server) }
        } else if absorbed.parametersChanged {
            parameters = state.value.parameters
        }
        if absorbed.completed > 0 { detachIfFree() }
    }

    /// The server refused what was set ahead of the client's request: a wish of the client's own, so the client is told.
    private func refusedParameters(_ error: ErrorFields) -> ErrorFields {
        ErrorFields(
            severity: .fatal, code: error.code ?? .invalidParameterValue,
            message: "the server refused the session's parameters: \(error.message ?? "no reason given")")
    }

    /// The server's connection is gone. In transaction pooling the session goes on, unless the client was sent a part of a
    /// message or a COPY hangs in the air.
    private func loseServer(_ server: PostgresConnection, _ reason: String) throws(SessionEnd) {
        let state = server.state
        let wasBusy = !state.value.flow.isSynchronised || state.value.flow.transactionStatus != .idle
        let isInsideMessage = !state.value.walker.isAtBorder
        worker.log.error("server connection lost: \(reason)", in: context(.server))
        state.value.failure = PostgresError(.connection, reason)
        server.transport.close()
        // A client whose transaction is over has lost nothing.
        let isOver = !wasBusy && !isInsideMessage && walker.isAtBorder && route?.settings.pool == .transaction
        let outstanding = state.value.flow.outstandingReady - state.value.hiddenReplies
        let isBatchOpen = state.value.flow.hasUnsyncedMessages || state.value.flow.isSkippingToSync
        let isCertain = state.value.flow.isCertain
        detach()
        if isOver { return }
        let code = SQLState.connectionFailure
        let message = "server connection lost: \(reason)"
        guard isReady, route?.settings.pool == .transaction, !isInsideMessage, walker.isAtBorder, wasBusy,
            outstanding > 0,
            !isBatchOpen, isCertain
        else {
            throw .fatal(code, message)
        }
        // The client waits for this many ReadyForQuery; the first gets the error, and it is over for all of them.
        var bytes: [UInt8] = []
        describe(ErrorFields(severity: .error, code: code, message: message)).encode(into: &bytes)
        for _ in 0..<outstanding { ReadyForQuery(status: .idle).encode(into: &bytes) }
        try send(bytes)
    }
}
