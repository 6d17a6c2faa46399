// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP

/// A COPY under way. It belongs to one task at a time; what waits for the server is done on the connection's thread.
final class CopyStream: Sendable {
    private let connection: PostgresConnection
    private let exchange: UnsafeSingleOwner<CopyExchange>
    /// What was written and is not worth a message yet: a row alone would cost a change of threads and a system call.
    private let gathered = UnsafeSingleOwner<[UInt8]>([])
    private let span: QuerySpan

    private init(
        _ connection: PostgresConnection, _ exchange: consuming sending CopyExchange, _ span: QuerySpan
    ) {
        self.connection = connection
        self.exchange = UnsafeSingleOwner(exchange)
        self.span = span
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
        let span = QuerySpan(query.sql, on: connection)
        do throws(PostgresError) {
            return try await withTaskExecutorPreference(connection.transport.reactor) {
                () async throws(PostgresError) -> CopyStream in
                CopyStream(
                    connection,
                    try await CopyExchange.begin(request, direction, on: connection, options: options), span)
            }
        } catch {
            span.end(with: error)
            throw error
        }
    }

    func read() async throws(PostgresError) -> [UInt8]? {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> [UInt8]? in try await self.exchange.value.read()
        }
    }

    /// Pieces as large as this are sent.
    private static var worthSending: Int { 1 << 16 }

    func write(_ data: [UInt8]) async throws(PostgresError) {
        if exchange.value.isOver { throw PostgresError(.invalidRequest, "the COPY is over") }
        if data.count < Self.worthSending {
            gathered.value += data
            if gathered.value.count >= Self.worthSending { try await sendGathered() }
        } else {
            try await sendGathered()
            try await send(data)
        }
    }

    private func sendGathered() async throws(PostgresError) {
        if gathered.value.isEmpty { return }
        let data = gathered.value
        gathered.value = []
        try await send(data)
    }

    private func send(_ data: [UInt8]) async throws(PostgresError) {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) in try await self.exchange.value.write(data)
        }
    }

    /// Ends the data; how many rows were copied.
    func finish() async throws(PostgresError) -> Int {
        do throws(PostgresError) {
            try await sendGathered()
            let rows = try await withTaskExecutorPreference(connection.transport.reactor) {
                () async throws(PostgresError) -> Int in
                try await self.exchange.value.finish()
                return self.exchange.value.rows ?? 0
            }
            span.end()
            return rows
        } catch {
            span.end(with: error)
            throw error
        }
    }

    /// Gives the COPY up, or ends it behind its last byte.
    ///
    /// - Parameter error: why, if something went wrong.
    func leave(with error: (any Error)? = nil) async {
        await withTaskExecutorPreference(connection.transport.reactor) { await self.exchange.value.leave() }
        if let error { span.end(with: error) } else { span.end() }
    }
}
