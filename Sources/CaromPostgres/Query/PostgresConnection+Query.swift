// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Running statements: for whoever holds a connection, one at a time, from any task.
///
/// All of them throw ``PostgresError``. After the code `server` (a statement failed), `tooLarge`, `decoding` and `invalidRequest`
/// the connection can go on; after `cancelled` and `timedOut` it must be given back, and is made clean then; after any
/// other it is of no further use. Cancelling the task cancels the query on the server.
extension PostgresConnection {
    /// Runs one statement. The values in it go beside its text (extended protocol), so nothing in them needs quoting:
    /// `query("select name from users where id = \(id)")`.
    public func query(_ query: PostgresQuery, options: QueryOptions = QueryOptions())
        async throws(PostgresError) -> PostgresResult
    {
        try await self.query(sql: query.sql, query.parameters, options: options)
    }

    /// Runs one statement whose rows nobody wants, with values beside its text.
    ///
    /// - Returns: how many rows it affected; nil if it does not count them.
    @discardableResult
    public func execute(_ query: PostgresQuery, options: QueryOptions = QueryOptions())
        async throws(PostgresError) -> Int?
    {
        try await execute(sql: query.sql, query.parameters, options: options)
    }

    /// Runs one or more statements without parameters and returns the result of the last one
    /// (simple protocol; all values are text). The text is the program's, and holds nothing from outside.
    ///
    /// Several statements are one transaction unless they say otherwise; if one fails, none after it is run.
    public func query(sql: String, options: QueryOptions = QueryOptions())
        async throws(PostgresError) -> PostgresResult
    {
        try await QueryExchange.result(of: try QueryRequest(sql), on: self, options)
    }

    /// Runs one or more statements without parameters and returns the result of each one.
    ///
    /// The limit of `options` is for all together.
    public func queryAll(sql: String, options: QueryOptions = QueryOptions())
        async throws(PostgresError) -> [PostgresResult]
    {
        try await QueryExchange.run(try QueryRequest(sql), on: self, keeping: .all, options)
    }

    /// Runs one statement with values for `$1`, `$2` and so on (extended protocol).
    ///
    /// The values never become part of the text, so nothing in them needs quoting.
    public func query(
        sql: String, _ parameters: [PostgresParameter], options: QueryOptions = QueryOptions()
    )
        async throws(PostgresError) -> PostgresResult
    {
        let request = try QueryRequest(sql, parameters, format: options.format)
        return try await QueryExchange.result(of: request, on: self, options)
    }

    /// Runs one or more statements whose rows nobody wants.
    ///
    /// - Returns: how many rows the last one affected; nil if it does not count them.
    @discardableResult
    public func execute(sql: String, options: QueryOptions = QueryOptions()) async throws(PostgresError)
        -> Int?
    {
        try await QueryExchange.run(try QueryRequest(sql), on: self, keeping: .tag, options).last?
            .affectedRows
    }

    /// Runs one statement with values for `$1`, `$2` and so on, whose rows nobody wants.
    ///
    /// - Returns: how many rows it affected; nil if it does not count them.
    @discardableResult
    public func execute(
        sql: String, _ parameters: [PostgresParameter], options: QueryOptions = QueryOptions()
    )
        async throws(PostgresError) -> Int?
    {
        let request = try QueryRequest(sql, parameters, format: options.format)
        return try await QueryExchange.run(request, on: self, keeping: .tag, options).last?.affectedRows
    }
}
