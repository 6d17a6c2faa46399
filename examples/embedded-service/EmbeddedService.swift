// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Carom
import CaromFile
import CaromPostgres
import CaromReactor
import CaromStats
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// `carom-embedded-service`: notes over HTTP, kept in PostgreSQL, through a pool inside the process.
@main
struct EmbeddedService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carom-embedded-service",
        abstract: "Notes over HTTP, kept in PostgreSQL through an embedded pool.",
        discussion: """
            The servers are in a file, one a line, such as 'db1 10.0.0.1:5432'; the file may change while the service runs. \
            The password is taken from PGPASSWORD. SIGTERM and SIGINT stop it in order.
            """)

    @Argument(help: "The file that names the PostgreSQL servers.", completion: .file())
    var servers: String

    @Option(help: "The PostgreSQL role.")
    var user = "postgres"

    @Option(help: "The database.")
    var database = "postgres"

    @Option(help: "The port for HTTP on 127.0.0.1.")
    var port: UInt16 = 8080

    @Option(help: "The port for the pool's statistics on 127.0.0.1.")
    var statsPort: UInt16 = 42069

    @Option(help: "Connections in all.")
    var maxSlots = 8

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        var logger = Logger(label: "carom-embedded-service")
        logger.logLevel = .info
        do {
            try await serve(logger)
        } catch {
            logger.critical("\(error)")
            throw ExitCode(1)
        }
    }

    private func serve(_ logger: Logger) async throws {
        let reactors = try ReactorGroup(count: 1)
        defer { reactors.stop() }
        let password = getenv("PGPASSWORD").map { String(cString: $0) }
        let connector = PostgresConnector(
            PostgresConfiguration(user: user, database: database, password: password),
            reactors: reactors.reactors)
        let resolver = FileResolver(path: servers, defaultPort: 5432) { logger.warning("servers: \($0)") }
        var policy = Policy()
        policy.maxSlots = maxSlots
        policy.spares = 1
        policy.claimTimeout = .seconds(3)
        let recorder = PoolRecorder()
        let pool = try Pool(
            name: "notes", resolver: resolver, connector: connector, policy: policy, logger: logger,
            observers: [recorder])
        let notes = NoteStore(pool: pool)
        // Services stop in reverse order: first no more requests, then the pool.
        let group = ServiceGroup(
            services: [
                pool,
                StatsService(server: StatsServer([ObservedPool(pool, recorder: recorder)], port: statsPort)),
                NoteService(notes: notes, port: port, logger: logger),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}

/// The statistics, as a service.
struct StatsService: Service {
    let server: StatsServer

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await server.run() }
    }
}
