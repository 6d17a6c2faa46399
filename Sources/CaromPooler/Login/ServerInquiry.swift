// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor

/// What servers are asked about users, and the connections on which they are.
struct ServerQuestion: Sendable {
    let text: String
    /// What its connections are called in lists and logs: the directive that has it asked.
    let name: String
    let configuration: PostgresConfiguration
    let resolver: any Resolver
    let tcp: TCPOptions
    let encryption: ServerEncryption?
    let access: ServerAccess
    /// Its connections count among those of the storage.
    let limit: QuotaLimit?

    /// - Parameter route: says how the servers are found and logged in to. Nothing else of it counts: no setting shall change what the
    ///     query means.
    init(
        _ query: UserQuerySettings, named name: String, _ route: RouteSettings, _ storage: StorageSettings,
        resolver: any Resolver, access: ServerAccess, tcp: TCPOptions, encryption: ServerEncryption?
    ) {
        text = query.text
        self.name = name
        var configuration = PostgresConfiguration(
            user: route.serverUser(forClientUser: query.user),
            database: route.serverDatabase(forClientDatabase: query.database),
            password: route.serverPassword?.reveal())
        configuration.allowsCleartextPassword = storage.allowsCleartextPassword
        // A query that is not qualified means what PostgreSQL itself has by these names (CVE-2025-12819).
        configuration.parameters = [
            "search_path": "pg_catalog, pg_temp", "application_name": "carom \(name)",
        ]
        self.configuration = configuration
        self.resolver = resolver
        self.tcp = tcp
        self.encryption = encryption
        self.access = access
        limit = QuotaLimit(storage)
    }

    /// Whether the same is asked of the same servers in the same way.
    func isSame(_ other: ServerQuestion) -> Bool {
        text == other.text && name == other.name && access == other.access && limit == other.limit
            && configuration.user == other.configuration.user
            && configuration.database == other.configuration.database
    }
}

/// Asks servers about users, on connections that no client's bytes or settings ever reach.
final class ServerInquiry: Sendable {
    let question: ServerQuestion
    let pool: Pool<PostgresConnector>

    /// An answer is believed for so long.
    static let lifetime = Duration.seconds(5)
    /// Users whose answers are kept.
    static let limit = 10_000
    /// A client waits for so long. It is less than the time to log in usually is.
    private static let patience = Duration.seconds(5)
    /// Of all rows.
    private static let longestResult = 1 << 20

    init(_ question: ServerQuestion, pool: Pool<PostgresConnector>) {
        self.question = question
        self.pool = pool
    }

    /// The rows of the answer, each as its cells; nil is SQL's null.
    ///
    /// - Throws: why the server could not be asked.
    func ask(about user: String) async throws -> [[String?]] {
        try await pool.withConnection(timeout: Self.patience) { [question] connection in
            let result = try await connection.query(
                PostgresQuery(sql: question.text, [.text(user)]),
                options: QueryOptions(maximumBytes: Self.longestResult, timeout: Self.patience))
            return result.map { row in row.map { $0.string } }
        }
    }
}
