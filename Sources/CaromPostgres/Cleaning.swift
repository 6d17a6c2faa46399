// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

extension PostgresConnector {
    /// Brings a connection that was left in any state back to a clean one, or throws: ``PostgresError/Code/busy`` when that
    /// is the fault of whoever left it, not of the server.
    func clean(_ connection: PostgresConnection, _ conversation: Conversation) async throws(PostgresError) {
        let recycling = configuration.recycling
        if !connection.state.flow.isSynchronized, !connection.state.flow.needsProbe {
            guard recycling.cancels else {
                throw PostgresError(
                    .busy, "the client left with a query under way, and pool_cancel is no")
            }
            try await cancelAndDrain(connection, conversation)
        } else if !connection.state.unread.isEmpty || connection.state.isInsideReply {
            // The beginning of something the server says by itself: a notice, a parameter, a notification.
            try await conversation.drain(connection)
        }
        // The answer to an empty query shows whether a ReadyForQuery is still to come, and comes behind all that the server has said.
        if connection.state.flow.needsProbe || connection.transport.isReadable {
            try await conversation.execute("", in: connection)
        }
        if connection.state.flow.transactionStatus != .idle {
            guard recycling.rollsBack else {
                throw PostgresError(.busy, "the client left in a transaction, and pool_rollback is no")
            }
            try await conversation.execute("ROLLBACK", in: connection)
        }
        if connection.state.neededReset == .everything || recycling.discards {
            try await reset(by: recycling.resetQuery.text, isFull: true, connection, conversation)
            connection.state.didReset(by: recycling.resetQuery)
        } else if connection.state.neededReset == .state {
            let statements = SessionReset.statements(connection.state.reported)
            try await reset(by: statements, isFull: false, connection, conversation)
            connection.state.didResetState()
        }
        guard connection.state.readiness == .idle, connection.output.isEmpty else {
            throw PostgresError(.connection, "the session could not be made clean")
        }
    }

    private func reset(
        by sql: String, isFull: Bool, _ connection: PostgresConnection, _ conversation: Conversation
    ) async throws(PostgresError) {
        resets.begin(isFull: isFull)
        do throws(PostgresError) {
            try await conversation.execute(sql, in: connection)
        } catch {
            resets.fail()
            throw error
        }
    }

    /// Cancels until the server has nothing more to say. COPY data is refused, an open batch is closed, answers are thrown away.
    ///
    /// A cancel ends one query; behind it more may wait that run as long. And a cancel that overtakes its query finds
    /// an idle server, which takes no notice of it: then it is repeated after a while.
    private func cancelAndDrain(_ connection: PostgresConnection, _ conversation: Conversation)
        async throws(PostgresError)
    {
        var patience = Duration.milliseconds(100)
        while true {
            do throws(PostgresError) {
                try await conversation.drain(connection) { () throws(PostgresError) in
                    guard
                        await connection.requestCancel(
                            on: connection.transport.reactor, deadline: conversation.deadline)
                    else {
                        throw PostgresError(
                            .connection, "a cancel request may still be under way to the server")
                    }
                    conversation.pause(at: .now + patience)
                }
                return conversation.pause(at: .never)
            } catch {
                guard error.code == .timedOut else { throw error }
                guard Deadline.now < conversation.deadline else {
                    throw PostgresError(
                        .busy, "the query that the client left did not end although it was cancelled")
                }
                patience *= 2
            }
        }
    }
}
