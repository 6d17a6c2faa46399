// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@_exported public import Carom
import CaromDNS
@_exported public import CaromPostgres
import CaromReactor
import CaromTLS
public import Logging

/// A pool of PostgreSQL connections from a URL: the usual case in one type.
///
/// ```swift
/// let database = try PostgresPool("postgres://app:secret@db.example/orders?sslmode=verify-full")
/// async let running: Void = database.run()
/// for (id, name) in try await database.query("select id, name from users").decode(Int.self, String.self) {
///     print(id, name)
/// }
/// await database.stop()
/// try await running
/// ```
///
/// The URL is libpq's: several hosts with ports, `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `target_session_attrs` (`any`,
/// `primary`, `read-write`, `standby`, `read-only`), `application_name`, `options`. Names of hosts are followed in the DNS; with a
/// resolver of your own the URL says how to log in, and the resolver where. It makes its own event loops, and ends them. With the
/// trait `ServiceLifecycle` it is a service.
public final class PostgresPool: Sendable {
    /// The pool itself, for its numbers and for claims that do not fit one scope.
    public let pool: Pool<PostgresConnector>
    private let reactors: ReactorGroup
    private let role: PostgresRole?

    /// A pool for the service of a URL. Nothing is connected before ``run()``.
    ///
    /// - Parameters:
    ///   - url: where the servers are and how to log in.
    ///   - resolver: says where the servers are in place of the URL, which then names no host.
    ///   - policy: every knob.
    ///   - threads: event loops for the connections, at least 1. One takes the least CPU time for a query, and is enough for tens of
    ///     thousands a second.
    ///   - logger: told of servers that die and come back, at `warning` and `notice`, and of the rest below that; nil for silence.
    ///   - observers: told every event.
    ///   - onNotice: given what servers say beside their answers, such as `RAISE NOTICE`; on an event loop, so it should be quick.
    /// - Throws: `PostgresError` for a URL or certificate that cannot be used, `PolicyError`, `SystemError`, `DNSError`.
    public convenience init(
        _ url: String, resolver: (any Resolver)? = nil, policy: Policy = Policy(), threads: Int = 2,
        logger: Logger? = nil, observers: [any PoolObserver] = [],
        onNotice: (@Sendable (PostgresNotice) -> Void)? = nil
    ) throws {
        let url = try PostgresURL(url)
        if resolver != nil, !url.hosts.isEmpty {
            throw PostgresError(
                .invalidRequest, "the URL of a PostgreSQL service names hosts, and there is a resolver, too")
        }
        try self.init(
            url, try resolver ?? Self.resolver(url.hosts), policy, threads: threads, logger, observers,
            onNotice)
    }

    private init(
        _ url: PostgresURL, _ resolver: any Resolver, _ policy: Policy, threads: Int, _ logger: Logger?,
        _ observers: [any PoolObserver], _ onNotice: (@Sendable (PostgresNotice) -> Void)?
    ) throws {
        var configuration = PostgresConfiguration(
            user: url.user, database: url.database, password: url.password)
        configuration.parameters = url.parameters
        configuration.onNotice = onNotice
        let encryption = url.encryption.mode == .disable ? nil : try Self.encryption(url.encryption)
        role = url.role
        try policy.validate()
        reactors = try ReactorGroup(count: threads, name: "postgres")
        do {
            pool = try Pool(
                name: url.database, resolver: resolver,
                connector: PostgresConnector(
                    configuration, reactors: reactors.reactors, tcp: TCPOptions(), encryption: encryption,
                    observer: nil),
                policy: policy, logger: logger, observers: observers)
        } catch {
            reactors.stop()
            throw error
        }
    }

    deinit { reactors.stop() }

    private static func encryption(_ options: TLSOptions) throws(PostgresError) -> ServerEncryption {
        do throws(TLSError) {
            return ServerEncryption(try TLSContext(.client, options))
        } catch {
            throw PostgresError(.encryption, "\(error)")
        }
    }

    private static func resolver(_ hosts: [PostgresURL.Host]) throws -> any Resolver {
        var fixed: [Backend] = []
        var named: [any Resolver] = []
        for host in hosts.isEmpty ? [PostgresURL.Host(name: "localhost", port: 5432)] : hosts {
            let name = host.name.contains(":") ? "[\(host.name)]" : host.name
            if host.name.hasPrefix("/") {
                fixed.append(Backend(address: .unix(path: "\(host.name)/.s.PGSQL.\(host.port)")))
            } else if let address = try? BackendAddress(parsing: "\(name):\(host.port)") {
                fixed.append(Backend(address: address))
            } else {
                named.append(try DNSResolver(DNSConfiguration(.host(host.name, port: host.port))))
            }
        }
        if named.isEmpty { return StaticResolver(fixed) }
        return CompositeResolver((fixed.isEmpty ? [] : [StaticResolver(fixed)]) + named, rule: .merge)
    }

    /// All background work, until ``stop(grace:)`` or the end of the task.
    ///
    /// - Throws: `PoolError` with the code `hasRun` when it was called before: a pool runs once.
    public func run() async throws(PoolError) {
        try await pool.run()
        reactors.stop()
        // Whoever runs it keeps it: its end is the event loops'.
        withExtendedLifetime(self) {}
    }

    /// Stops in order, as `Pool.stop(grace:)` does.
    @discardableResult
    public func stop(grace: Duration? = nil) async -> StopReport { await pool.stop(grace: grace) }

    /// What the URL asks for.
    private var request: ClaimRequest { role.map { ClaimRequest(role: .init($0.rawValue)) } ?? .any }

    /// Lends a connection for the duration of `body`.
    @discardableResult
    public func withConnection<R>(
        timeout: Duration? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        try await pool.withConnection(request, timeout: timeout, isolation: isolation, body)
    }

    /// Runs one statement on some connection.
    public func query(_ query: PostgresQuery, options: QueryOptions = QueryOptions()) async throws
        -> PostgresResult
    {
        try await withConnection { try await $0.query(query, options: options) }
    }

    /// Runs one statement on some connection and lends its rows as they come: see
    /// `PostgresConnection.stream(_:options:isolation:_:)`.
    @discardableResult
    public func stream<R>(
        _ query: PostgresQuery, options: QueryOptions = QueryOptions(),
        isolation: isolated (any Actor)? = #isolation, _ body: (PostgresRows) async throws -> R
    ) async throws -> R {
        try await withConnection(isolation: isolation) {
            try await $0.stream(query, options: options, body)
        }
    }

    /// Runs one statement whose rows nobody wants on some connection.
    ///
    /// - Returns: how many rows it affected; nil if it does not count them.
    @discardableResult
    public func execute(_ query: PostgresQuery, options: QueryOptions = QueryOptions()) async throws -> Int? {
        try await withConnection { try await $0.execute(query, options: options) }
    }

    /// Runs `body` in a transaction, again if it could not be serialized with others: see
    /// `PostgresConnection.retryingTransaction(attempts:_:isolation:_:)`.
    @discardableResult
    public func transaction<R>(
        attempts: Int = 5, _ begin: String = "BEGIN", isolation: isolated (any Actor)? = #isolation,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        try await withConnection(isolation: isolation) {
            try await $0.retryingTransaction(attempts: attempts, begin, body)
        }
    }
}
