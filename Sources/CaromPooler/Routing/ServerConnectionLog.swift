// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres

/// Writes a line for each server connection of a route that comes, goes or cannot be had.
struct ServerConnectionLog: ConnectionObserver {
    let log: PoolerLog
    let user: String
    let database: String

    func opened(_ connection: PostgresConnection) {
        log.session("new server connection (server process \(connection.processID))", in: context(connection))
    }

    func failed(_ backend: Backend, _ error: PostgresError) {
        // The pool gave the attempt up by itself: it stops, or has a connection in another way.
        if error.code == .cancelled { return }
        log.error("failed to connect: \(error)", in: context(backend))
    }

    func closed(_ connection: PostgresConnection) {
        log.session("server connection closed", in: context(connection))
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
