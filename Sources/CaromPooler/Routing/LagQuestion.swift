// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromReactor
import Glibc

/// What a watchdog asks a server.
struct LagQuestion: Sendable {
    /// `watchdog_lag_query`: up to when the server has replayed, in seconds since 1970.
    let query: String?
    /// For the answer.
    let limit: Duration

    /// Asks how far the server lags.
    func ask(_ connection: PostgresConnection) async throws(PostgresError) -> LagReading {
        if connection.role == .primary { return .primary }
        let options = QueryOptions(maximumBytes: 1 << 16, timeout: limit)
        let result = try await connection.query(sql: query ?? Self.standard, options: options)
        guard result.count == 1, result.columns.count == (query == nil ? 2 : 1) else {
            throw PostgresError(.decoding, "watchdog_lag_query: expected one row with one number")
        }
        let cells = Array(result[0]).map(\.string)
        if query == nil {
            if cells[0] == "t" { return .caughtUp }
            return .behind(cells[1].flatMap { Double($0) }.map { .seconds($0) })
        }
        guard let text = cells[0], let time = Double(text), time.isFinite, abs(time) < 1e12 else {
            throw PostgresError(
                .decoding,
                "watchdog_lag_query: expected seconds since 1970, found \(cells[0].map { "'\($0)'" } ?? "NULL")"
            )
        }
        return .lag(.seconds(Self.now - time))
    }

    /// Whether it has replayed all that it has received and goes on receiving; and the age of what it replayed last. All by the server's
    /// own clock.
    private static let standard = """
        SELECT pg_catalog.pg_last_wal_receive_lsn() IS NOT DISTINCT FROM pg_catalog.pg_last_wal_replay_lsn() \
        AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver), \
        extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())
        """

    private static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
