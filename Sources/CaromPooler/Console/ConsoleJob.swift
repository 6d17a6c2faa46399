// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What takes longer than a console may hold up its worker, or is done on other threads than its own.
enum ConsoleJob: Equatable, Sendable {
    /// Read the configuration again.
    case reload
    /// Ask all workers for their clients: the rows of `SHOW CLIENTS`.
    case clients
    /// End a client, by the `id` of `SHOW CLIENTS`.
    case kill(client: Int)
    /// Stop: at once, or when clients have finished their transactions.
    case shutdown(isGraceful: Bool)
}

/// Does jobs. The result comes on any thread.
typealias ConsoleJobs = @Sendable (ConsoleJob, @escaping @Sendable (ConsoleResult) -> Void) -> Void
