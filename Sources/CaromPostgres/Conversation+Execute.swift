// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
import CaromReactor

extension Conversation {
    /// Runs a simple query whose rows nobody wants, and waits for ReadyForQuery.
    ///
    /// - Throws: ``PostgresError`` with the code `server` when the server reports an error.
    package func execute(_ sql: String, in connection: PostgresConnection) async throws(PostgresError) {
        let state = connection.state
        var bytes: [UInt8] = []
        Query(sql).encode(into: &bytes)
        do throws(FlowError) {
            try state.value.flow.sent(.query)
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
        state.value.hiddenReplies += 1
        state.value.hiddenError = nil
        try await send(bytes)
        try await drain(connection)
        if let error = state.value.hiddenError {
            state.value.hiddenError = nil
            throw PostgresError(error)
        }
    }

    /// Reads and throws away until the server owes nothing and what came is complete.
    ///
    /// COPY data that the server turns out to wait for is refused, and so is a Sync sent if it waits for one: it
    /// swallowed that of a COPY that failed.
    ///
    /// - Parameter onStall: called when there is nothing to read, once for each ReadyForQuery that is owed.
    package func drain(
        _ connection: PostgresConnection, onStall: (() async throws(PostgresError) -> Void)? = nil
    ) async throws(PostgresError) {
        let rules = FrameRules.server()
        let state = connection.state
        try absorb(state, rules)
        var owed = Int.max
        while true {
            let flow = state.value.flow
            let isComplete = state.value.input.isEmpty && state.value.walker.isAtBorder
            if flow.isSynchronised || flow.needsProbe, isComplete { return }
            if flow.awaitsClientData {
                try await say(.copyFail, to: state) {
                    CopyFail(reason: "the client has gone").encode(into: &$0)
                }
            }
            if flow.isSkippingToSync {
                try await say(.sync, to: state) { FrontendTag.sync.encodeEmpty(into: &$0) }
            }
            if let onStall, flow.outstandingReady < owed {
                owed = flow.outstandingReady
                try await onStall()
            }
            try await fill()
            try absorb(state, rules)
        }
    }

    private func say(
        _ tag: FrontendTag, to state: UnsafeSingleOwner<ConnectionState>, _ encode: (inout [UInt8]) -> Void
    ) async throws(PostgresError) {
        do throws(FlowError) {
            try state.value.flow.sent(tag)
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
        var bytes: [UInt8] = []
        encode(&bytes)
        try await send(bytes)
    }

    private func absorb(_ state: UnsafeSingleOwner<ConnectionState>, _ rules: FrameRules)
        throws(PostgresError)
    {
        let chunk = state.value.input
        let absorbed = state.value.absorb(chunk.span.bytes, rules: rules)
        state.value.input.removeFirst(absorbed.consumed)
        if absorbed.isBroken, let failure = state.value.failure { throw failure }
    }
}

extension PostgresError {
    /// What the server said, as an error of its kind.
    package init(_ fields: ErrorFields) {
        self.init(
            .server, fields.message ?? "the server reported an error without a message",
            sqlState: fields.code?.description, detail: fields.detail, hint: fields.hint,
            constraint: fields.text(.constraint))
    }
}
