// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The rows of a query as they come: what ``PostgresConnection/stream(_:options:isolation:_:)`` lends.
///
/// They are read once, in order. A second loop goes on where the first one was left.
public struct PostgresRows: AsyncSequence {
    let stream: RowStream

    /// Reads on.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Reads one row after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let stream: RowStream

        /// The next row; nil behind the last one.
        ///
        /// Waits for the server only when all rows that have come are read. Cancelling the task cancels the query.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation)
            async throws(PostgresError) -> PostgresRow?
        {
            try await stream.next()
        }
    }
}

extension PostgresConnection {
    /// Runs one statement and lends its rows as they come, for results that are not to lie in memory as a whole.
    ///
    /// ```swift
    /// let total = try await connection.stream("select amount from payments") { rows in
    ///     var total = 0
    ///     for try await row in rows { total += try row.decode(Int.self) }
    ///     return total
    /// }
    /// ```
    ///
    /// The server is asked for some thousand rows at a time, and the socket is not read while nobody wants a row: neither side
    /// runs ahead. When `body` ends the statement does: what was asked for and not read is thrown away (a server that takes longer
    /// than a second for it is cancelled, which fails an open transaction), and the connection can go on. While `body` runs
    /// the connection is busy with this statement.
    ///
    /// - Parameters:
    ///   - query: the statement.
    ///   - options: `maximumBytes` holds for the rows that have come and are not read yet, `timeout` for the whole statement.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: reads the rows. They are nobody's after it.
    /// - Throws: what `body` throws; ``PostgresError`` as ``query(_:options:)`` does.
    public func stream<R>(
        _ query: PostgresQuery, options: QueryOptions = QueryOptions(),
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresRows) async throws -> R
    ) async throws -> R {
        let request = try QueryRequest(
            query.sql, query.parameters, format: options.format, window: QueryExchange.window)
        let stream = try await RowStream.begin(request, on: self, options: options)
        do {
            let result = try await body(PostgresRows(stream: stream))
            await stream.end()
            return result
        } catch {
            await stream.end(with: error)
            throw error
        }
    }
}
