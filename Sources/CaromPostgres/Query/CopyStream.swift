// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP

/// A COPY under way. It belongs to one task at a time; what waits for the server is done on the connection's thread.
final class CopyStream: Sendable {
    private let connection: PostgresConnection
    private let exchange: UnsafeSingleOwner<CopyExchange>

    private init(_ connection: PostgresConnection, _ exchange: consuming sending CopyExchange) {
        self.connection = connection
        self.exchange = UnsafeSingleOwner(exchange)
    }

    /// Sends the statement, and waits until its data can flow.
    static func begin(
        _ query: PostgresQuery, _ direction: CopyExchange.Direction, on connection: PostgresConnection,
        options: QueryOptions
    ) async throws(PostgresError) -> CopyStream {
        guard query.parameters.isEmpty else {
            throw PostgresError(
                .invalidRequest, "a COPY takes no values; names go in by \\(identifier:), text by \\(raw:)")
        }
        let request = try QueryRequest(query.sql, [], format: .text, window: 0)
        return try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> CopyStream in
            CopyStream(
                connection,
                try await CopyExchange.begin(request, direction, on: connection, options: options))
        }
    }

    func read() async throws(PostgresError) -> [UInt8]? {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> [UInt8]? in try await self.exchange.value.read()
        }
    }

    func write(_ data: [UInt8]) async throws(PostgresError) {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) in try await self.exchange.value.write(data)
        }
    }

    /// Ends the data; how many rows were copied.
    func finish() async throws(PostgresError) -> Int {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> Int in
            try await self.exchange.value.finish()
            return self.exchange.value.rows ?? 0
        }
    }

    func leave() async {
        await withTaskExecutorPreference(connection.transport.reactor) { await self.exchange.value.leave() }
    }
}
