// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres

/// Writes a line for each server connection of a route that comes, goes or cannot be had.
struct ServerConnectionLog: ConnectionObserver {
    let log: PoolerLog
    let user: String
    let database: String
    /// The route has `log_debug`: the lines appear without `log_session`, too.
    let isDebugging: Bool

    func opened(_ connection: PostgresConnection) {
        write("new server connection (server process \(connection.processID))", of: connection)
    }

    func failed(_ backend: Backend, _ error: PostgresError) {
        // The pool gave up the attempt itself: it stops, or has got a connection otherwise.
        if error.code == .cancelled { return }
        log.error("failed to connect: \(error)", in: context(backend))
    }

    func closed(_ connection: PostgresConnection) {
        write("server connection closed", of: connection)
    }

    private func write(_ message: String, of connection: PostgresConnection) {
        if log.isLoggingSessions {
            log.session(message, in: context(connection))
        } else {
            log.debug(message, in: context(connection), ofRoute: isDebugging)
        }
    }

    private func context(_ connection: PostgresConnection) -> LogContext {
        var context = context(connection.backend)
        context.serverID = connection.id
        return context
    }

    private func context(_ backend: Backend) -> LogContext {
        var context = LogContext(.server)
        context.user = user
        context.database = database
        context.serverHost = backend.address.description
        return context
    }
}
