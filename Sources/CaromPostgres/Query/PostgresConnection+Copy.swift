// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a `COPY … TO STDOUT` sends, piece by piece: what ``PostgresConnection/copyOut(_:options:isolation:_:)`` lends.
///
/// A piece is one row or several, as the statement's format has them; a binary one begins with the header.
public struct PostgresCopyOut: AsyncSequence {
    let stream: CopyStream

    /// Reads on.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// Reads one piece after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let stream: CopyStream

        /// The next piece; nil behind the last one. Cancelling the task cancels the COPY.
        public mutating func next(isolation actor: isolated (any Actor)? = #isolation)
            async throws(PostgresError) -> [UInt8]?
        {
            try await stream.read()
        }
    }
}

/// Where the data of a `COPY … FROM STDIN` goes: what ``PostgresConnection/copyIn(_:options:isolation:_:)`` lends.
public struct PostgresCopyIn {
    let stream: CopyStream

    /// Sends a piece, which may be a part of a row or many rows: small ones are gathered. Waits while the server does not keep up.
    ///
    /// What the server says against the data is thrown at the end of the COPY.
    public func write(_ data: [UInt8]) async throws(PostgresError) { try await stream.write(data) }

    /// Sends a piece of text.
    public func write(_ text: String) async throws(PostgresError) { try await stream.write(Array(text.utf8)) }
}

extension PostgresConnection {
    /// Runs a `COPY … TO STDOUT` and lends its data as it comes.
    ///
    /// ```swift
    /// try await connection.copyOut("copy \(identifier: table) to stdout (format csv)") { data in
    ///     for try await piece in data { try await file.write(piece) }
    /// }
    /// ```
    ///
    /// The socket is not read while nobody wants more. Leaving the loop early cancels the COPY, which fails an open transaction; the
    /// connection can go on.
    ///
    /// - Parameters:
    ///   - query: the statement, without values: COPY takes none.
    ///   - options: `maximumBytes` holds for one row.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: reads the data.
    /// - Throws: what `body` throws; ``PostgresError`` as ``query(_:options:)`` does.
    public func copyOut<R>(
        _ query: PostgresQuery, options: QueryOptions = QueryOptions(),
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresCopyOut) async throws -> R
    ) async throws -> R {
        let stream = try await CopyStream.begin(query, .toClient, on: self, options: options)
        do {
            let result = try await body(PostgresCopyOut(stream: stream))
            await stream.leave()
            return result
        } catch {
            await stream.leave(with: error)
            throw error
        }
    }

    /// Runs a `COPY … FROM STDIN` with the data that `body` writes: all of it is kept, or, if `body` throws or the server refuses
    /// a row, nothing.
    ///
    /// - Parameters:
    ///   - query: the statement, without values: COPY takes none.
    ///   - options: `timeout` holds for all of it.
    ///   - isolation: the caller's; leave it to the compiler.
    ///   - body: writes the data.
    /// - Returns: how many rows were copied.
    /// - Throws: what `body` throws; ``PostgresError`` as ``query(_:options:)`` does.
    @discardableResult
    public func copyIn(
        _ query: PostgresQuery, options: QueryOptions = QueryOptions(),
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresCopyIn) async throws -> Void
    ) async throws -> Int {
        let stream = try await CopyStream.begin(query, .fromClient, on: self, options: options)
        do {
            try await body(PostgresCopyIn(stream: stream))
        } catch {
            await stream.leave(with: error)
            throw error
        }
        return try await stream.finish()
    }

    /// The same with the pieces of a sequence, one after the other.
    @discardableResult
    public func copyIn<Pieces: AsyncSequence>(
        _ query: PostgresQuery, from pieces: Pieces, options: QueryOptions = QueryOptions(),
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> Int where Pieces.Element == [UInt8] {
        try await copyIn(query, options: options) { writer in
            for try await piece in pieces { try await writer.write(piece) }
        }
    }
}
