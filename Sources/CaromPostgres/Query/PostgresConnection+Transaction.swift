// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PostgresConnection {
    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// A statement that fails fails the whole transaction, also if `body` catches its error.
    ///
    /// - Parameters:
    ///   - begin: how to begin, for example `BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY`.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: what to do in it, on this connection. It must not end the transaction itself.
    /// - Throws: what `body` throws; ``PostgresError`` with the code `server` when the server refuses to begin or to commit, and
    ///   `invalidRequest` when a transaction is open already. When the task is cancelled the roll-back is left to
    ///   whoever makes the returned connection clean.
    public func transaction<R>(
        _ begin: String = "BEGIN", isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        guard !isInTransaction else {
            throw PostgresError(.invalidRequest, "a transaction is open on this connection already")
        }
        try await execute(sql: begin)
        let result: R
        do {
            result = try await body(self)
        } catch {
            // Should this fail too, the first error tells more, and recycling tries again.
            if isInTransaction { _ = try? await execute(sql: "ROLLBACK") }
            throw error
        }
        // COMMIT of a failed transaction is no error for the server: it rolls back and says so.
        guard try await query(sql: "COMMIT").commandTag == "COMMIT" else {
            throw PostgresError(
                .server, "the transaction was rolled back because a statement in it had failed",
                sqlState: "25P02")
        }
        return result
    }

    /// The same, and `body` runs again in a new transaction when the server says that it could not be serialized with others
    /// (40001) or was chosen to end a deadlock (40P01). So `body` must do nothing that outlives a roll-back.
    ///
    /// - Parameters:
    ///   - attempts: how often at most, at least 1.
    ///   - begin: how to begin.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: what to do in it, on this connection.
    public func retryingTransaction<R>(
        attempts: Int = 5, _ begin: String = "BEGIN ISOLATION LEVEL SERIALIZABLE",
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        var left = attempts
        while true {
            left -= 1
            do {
                return try await transaction(begin, isolation: isolation, body)
            } catch let error as PostgresError where left > 0 && error.isWorthAnotherTry && !isInTransaction {
                try Task.checkCancellation()
            }
        }
    }
}
