// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
import CaromReactor

extension Conversation {
    /// Runs a simple query whose rows nobody wants, and waits for ReadyForQuery.
    ///
    /// - Throws: ``PostgresError`` with the code `server` when the server reports an error.
    package func execute(_ sql: String, in connection: PostgresConnection) async throws(PostgresError) {
        var bytes: [UInt8] = []
        Query(sql).encode(into: &bytes)
        do throws(FlowError) {
            try connection.state.sendSuppressed()
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
        _ = connection.state.takeSuppressedError()
        try await send(bytes)
        try await drain(connection)
        if let error = connection.state.takeSuppressedError() { throw PostgresError(error.fields) }
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
        let limits = FrameLimits.server()
        try receive(connection, limits)
        var owed = Int.max
        var isClosed = false
        while true {
            let flow = connection.state.flow
            let isComplete = connection.state.unread.isEmpty && !connection.state.isInsideReply
            if flow.isSynchronized || flow.needsProbe, isComplete { return }
            if flow.awaitsClientData {
                try await say(.copyFail, to: connection) {
                    CopyFail(reason: "the client has gone").encode(into: &$0)
                }
            }
            if flow.isSkippingToSync {
                try await say(.sync, to: connection) { FrontendTag.sync.encodeEmpty(into: &$0) }
            } else if flow.hasOpenBatch, !isClosed {
                isClosed = true
                // A Sync alone would commit what whoever has gone has not: an error is put in front of it.
                try await say(.describe, to: connection) {
                    NamedObject(.statement, name: "the client has gone").encodeDescribe(into: &$0)
                }
                try await say(.sync, to: connection) { FrontendTag.sync.encodeEmpty(into: &$0) }
            }
            if let onStall, flow.outstandingReady < owed {
                owed = flow.outstandingReady
                try await onStall()
            }
            try await fill()
            try receive(connection, limits)
        }
    }

    private func say(
        _ tag: FrontendTag, to connection: PostgresConnection, _ encode: (inout [UInt8]) -> Void
    ) async throws(PostgresError) {
        do throws(FlowError) {
            try connection.state.send(tag)
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
        var bytes: [UInt8] = []
        encode(&bytes)
        try await send(bytes)
    }

    private func receive(_ connection: PostgresConnection, _ limits: borrowing FrameLimits)
        throws(PostgresError)
    {
        while true {
            let chunk = connection.state.unread
            let received = connection.state.receive(chunk.span.bytes, limits: limits)
            connection.state.unread.removeFirst(received.consumed)
            if received.isBroken, let failure = connection.state.failure { throw failure }
            if !received.hasMore { return }
        }
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
