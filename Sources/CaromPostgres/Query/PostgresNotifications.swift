// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
package import CaromReactor
import CaromTCP

/// What somebody said by `NOTIFY`.
public struct PostgresNotification: Hashable, Sendable {
    /// Where it was said.
    public let channel: String
    /// What was said; empty if nothing was.
    public let payload: String
    /// The server process of whoever said it, as in `pg_stat_activity.pid`.
    public let processID: UInt32

    init(_ response: NotificationResponse) {
        channel = response.channel
        payload = response.payload
        processID = response.processID
    }
}

/// Notifications as they come: what ``PostgresConnection/listen(to:isolation:_:)`` lends. It ends with an error only.
public struct PostgresNotifications: AsyncSequence {
    let connection: PostgresConnection

    /// Waits on.
    public func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }

    /// Waits for one notification after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let connection: PostgresConnection

        /// The next notification, in the order in which the server sends them.
        ///
        /// - Throws: ``PostgresError``: `cancelled` when the task is, which leaves the connection usable; `busy` while a query runs on
        ///   it; `connection` or `server` when the session has ended.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation)
            async throws(PostgresError) -> PostgresNotification?
        {
            try await NotificationExchange.next(on: connection)
        }
    }
}

extension PostgresConnection {
    /// Listens to channels, and lends what is said there until `body` ends.
    ///
    /// ```swift
    /// try await connection.listen(to: "orders") { notifications in
    ///     for try await notification in notifications { print(notification.payload) }
    /// }
    /// ```
    ///
    /// Between two notifications `body` may run queries on the connection; what is said meanwhile is kept. In a transaction nothing is
    /// heard before its end.
    ///
    /// - Parameters:
    ///   - channels: their names, as they are: they are quoted.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: hears what is said.
    /// - Throws: what `body` throws; ``PostgresError`` as ``query(_:options:)`` does.
    public func listen<R>(
        to channels: String..., isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresNotifications) async throws -> R
    ) async throws -> R {
        for channel in channels { try await execute("listen \(identifier: channel)") }
        do {
            let result = try await body(PostgresNotifications(connection: self))
            await stopListening(to: channels)
            return result
        } catch {
            await stopListening(to: channels)
            throw error
        }
    }

    /// Whatever becomes of this: a session in which somebody listened is reset before anybody else has it.
    private func stopListening(to channels: [String]) async {
        for channel in channels { _ = try? await execute("unlisten \(identifier: channel)") }
        state.notifications = []
    }
}

/// Waits for what the server says by itself.
package enum NotificationExchange {
    /// Takes what was said on channels and not read yet.
    package static func take(from connection: PostgresConnection) -> [PostgresNotification] {
        defer { connection.state.notifications = [] }
        return connection.state.notifications
    }

    /// Waits until something is said on a channel, or the time is over, or `waker` is woken and `isInterrupted` says so. On the
    /// connection's thread.
    package static func hear(
        _ connection: PostgresConnection, until deadline: Deadline, waker: Waker,
        unless isInterrupted: () -> Bool
    ) async throws(PostgresError) {
        let conversation = Conversation(
            connection.transport, connection.session, deadline: deadline, waker: waker)
        try await hear(connection, conversation) { isInterrupted() || deadline <= .now }
    }

    fileprivate static func next(on connection: PostgresConnection) async throws(PostgresError)
        -> PostgresNotification
    {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> PostgresNotification in
            if connection.state.notifications.isEmpty {
                try Exchange.checkIsReady(connection)
                try await hear(
                    connection, Conversation(connection.transport, connection.session, deadline: .never))
            }
            return connection.state.notifications.removeFirst()
        }
    }

    /// Reads until there is a notification, or no more need for one.
    private static func hear(
        _ connection: PostgresConnection, _ conversation: Conversation,
        unless isInterrupted: () -> Bool = { false }
    ) async throws(PostgresError) {
        defer { conversation.end() }
        do throws(PostgresError) {
            while true {
                while let message = try conversation.takeMessage(limit: Conversation.largest) {
                    let tag = try connection.state.receive(message.tag, message.body.span.bytes)
                    try Exchange.heard(tag, message.body.span.bytes, on: connection)
                }
                if !connection.state.notifications.isEmpty || isInterrupted() { return }
                if try conversation.poll() { continue }
                try await conversation.pauseForServer("to say something")
            }
        } catch {
            if error.code == .timedOut, isInterrupted() { return }
            // A wait that was given up has done nothing to the session.
            if error.code != .cancelled { connection.state.fail(error) }
            throw error
        }
    }
}
