// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// What takes longer than a console may hold up its worker, or is done on other threads than its own.
enum ConsoleJob: Equatable, Sendable {
    /// Read the configuration again.
    case reload
    /// Change a setting.
    case set(LiveChange)
    /// Ask all workers and pools who is there: the rows of a table.
    case list(ConsoleTable)
    /// The statements that clients have prepared: the rows of `SHOW PREPARED_STATEMENTS`.
    case statements
    /// End a client, by the `id` of `SHOW CLIENTS`.
    case kill(client: Int)
    /// Do something with a database; nil is all of them.
    case database(DatabaseAction, String?)
    /// Stop reading from clients and servers, until everything is resumed.
    case suspend
    case shutdown(ShutdownMode)
}

/// When the pooler ends.
enum ShutdownMode: Equatable, Sendable {
    case atOnce
    /// When clients have finished their transactions.
    case afterTransactions
    /// When all clients have left by themselves.
    case afterClients
}

/// Tables of single clients and servers.
enum ConsoleTable: Equatable, Sendable {
    case clients
    case servers
    case sockets
    case activeSockets
    case descriptors
    case waiters

    func rows(_ found: ConsoleConnections) -> [[String?]] {
        switch self {
        case .clients: ShowClients.rows(found)
        case .servers: ShowServers.rows(found)
        case .sockets: ShowSockets.rows(found)
        case .activeSockets: ShowActiveSockets.rows(found)
        case .descriptors: ShowFDs.rows(found)
        case .waiters: ShowWaiters.rows(found)
        }
    }
}

/// Does jobs. The result comes on any thread.
typealias ConsoleJobs = @Sendable (ConsoleJob, @escaping @Sendable (ConsoleResult) -> Void) -> Void
