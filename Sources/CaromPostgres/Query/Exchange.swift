// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// How every exchange of the client API begins and ends. On the connection's thread.
enum Exchange {
    /// Throws unless a query can be sent now.
    static func checkIsReady(_ connection: PostgresConnection) throws(PostgresError) {
        if connection.transport.isClosed { throw PostgresError(.connection, "\(connection) is closed") }
        if let failure = connection.state.failure { throw failure }
        if connection.transport.hasHandler {
            throw PostgresError(
                .busy, "another task runs a query on this connection; a connection runs one at a time")
        }
        if !connection.state.flow.isSynchronized || !connection.output.isEmpty {
            throw PostgresError(
                .busy, "an earlier query was abandoned; give the connection back, which makes it clean")
        }
        if Task.isCancelled {
            throw PostgresError(.cancelled, "the task was cancelled before its query was sent")
        }
    }

    /// Records messages that go to the server.
    static func note(_ tags: [FrontendTag], on connection: PostgresConnection) throws(PostgresError) {
        do throws(FlowError) {
            for tag in tags { try connection.state.send(tag) }
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
    }

    /// Notes what the server says by itself.
    ///
    /// - Throws: the error with which it ends the session.
    static func heard(_ tag: BackendTag, _ body: RawSpan, on connection: PostgresConnection)
        throws(PostgresError)
    {
        switch tag {
        case .notificationResponse:
            do throws(WireError) {
                connection.state.notifications.append(
                    PostgresNotification(try NotificationResponse(body: body)))
            } catch {
                throw PostgresError(
                    .protocolViolation, "server \(connection.transport.peer), \(tag): \(error)")
            }
        case .noticeResponse: connection.onNotice?(PostgresNotice(ErrorFields(body: body)))
        case .errorResponse where connection.state.flow.sawUnaskedError:
            throw PostgresError(ErrorFields(body: body))
        default: break
        }
    }

    /// Marks the session for a reset if a query left something in it that others must not find.
    static func noteSessionChanges(_ connection: PostgresConnection) {
        if connection.state.hasLastingEffect || connection.state.reported != connection.state.initial {
            connection.state.requireReset()
        }
    }

    /// How long a cancel may take: it is a round trip to a server that answered a moment ago.
    private static var cancelLimit: Duration { .seconds(2) }

    /// Cancels the query on the server, also for a task that is cancelled itself.
    static func cancel(_ connection: PostgresConnection) async {
        let isCertain = await Task(executorPreference: connection.transport.reactor) {
            await connection.requestCancel(on: connection.transport.reactor, deadline: .now + cancelLimit)
        }.value
        if !isCertain {
            connection.state.fail(
                PostgresError(.cancelled, "a cancel request may still be under way to the server"))
        }
    }

    /// What becomes of the connection after an error of a conversation, and which error to report.
    ///
    /// - Parameter said: the error that the server reported before, if it did.
    static func settle(
        _ error: PostgresError, on connection: PostgresConnection, options: QueryOptions, said: ErrorFields?
    ) async -> PostgresError {
        switch error.code {
        case .cancelled:
            // What the rest of the query does to the session is nobody's to see.
            connection.resetWhenReturned()
            await cancel(connection)
            return PostgresError(.cancelled, "the query was cancelled because its task was")
        case .timedOut:
            connection.resetWhenReturned()
            await cancel(connection)
            let limit = options.timeout.map { "\($0)" } ?? "its limit"
            return PostgresError(.timedOut, "the query took longer than \(limit) and was cancelled")
        case .connection, .encryption, .resources, .protocolViolation, .authentication, .server, .busy,
            .invalidRequest, .tooLarge, .decoding:
            // A server that ends a session says why, and then hangs up.
            let cause = said.map { PostgresError($0) } ?? error
            connection.state.fail(cause)
            return cause
        }
    }
}
