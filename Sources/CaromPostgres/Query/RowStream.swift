// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP

/// The rows of a query under way, read batch by batch as somebody wants them.
///
/// It belongs to one task at a time; what waits for the server is done on the connection's thread.
final class RowStream: Sendable {
    private struct Reading: ~Copyable {
        var exchange: QueryExchange
        var batch: ResultContents?
        /// The next row of the batch.
        var position = 0
    }

    private let connection: PostgresConnection
    private let reading: UnsafeSingleOwner<Reading>
    private let span: QuerySpan

    private init(
        _ connection: PostgresConnection, _ exchange: consuming sending QueryExchange, _ span: QuerySpan
    ) {
        self.connection = connection
        self.span = span
        reading = UnsafeSingleOwner(Reading(exchange: exchange))
    }

    /// Sends the request.
    static func begin(_ request: QueryRequest, on connection: PostgresConnection, options: QueryOptions)
        async throws(PostgresError) -> RowStream
    {
        let span = QuerySpan(request.sql, on: connection)
        do throws(PostgresError) {
            return try await withTaskExecutorPreference(connection.transport.reactor) {
                () async throws(PostgresError) -> RowStream in
                RowStream(
                    connection, try await QueryExchange.begin(request, on: connection, options: options), span
                )
            }
        } catch {
            span.end(with: error)
            throw error
        }
    }

    /// The next row, at once where it is here already; nil behind the last one.
    func next() async throws(PostgresError) -> PostgresRow? {
        if reading.value.batch == nil || reading.value.position == reading.value.batch?.rowCount {
            reading.value.batch = try await withTaskExecutorPreference(connection.transport.reactor) {
                () async throws(PostgresError) -> ResultContents? in
                try await self.reading.value.exchange.nextRows()
            }
            reading.value.position = 0
        }
        guard let batch = reading.value.batch else { return nil }
        defer { reading.value.position += 1 }
        return PostgresRow(contents: batch, number: reading.value.position)
    }

    /// Ends the query, wherever it is.
    ///
    /// - Parameter error: why, if something went wrong.
    func end(with error: (any Error)? = nil) async {
        reading.value.batch = nil
        await withTaskExecutorPreference(connection.transport.reactor) {
            await self.reading.value.exchange.leave()
        }
        if let error { span.end(with: error) } else { span.end() }
    }
}
