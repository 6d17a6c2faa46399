// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromTestSupport
import Testing

@testable import CaromPostgres

/// What the tests that need a server share: one PostgreSQL and two reactors.
struct World: Sendable {
    let server: PostgresServer
    let reactors: [Reactor]

    @TaskLocal static var shared: World?

    static var current: World {
        guard let shared else { preconditionFailure("this test needs the trait .withServer on its suite") }
        return shared
    }

    /// The server by TCP.
    var backend: Backend { Backend(address: .ip("127.0.0.1", port: server.port)) }
    /// The server by its Unix socket.
    var localBackend: Backend { Backend(address: .unix(path: server.socketPath)) }

    /// A connector for the role `postgres`, unless `adjust` says otherwise.
    func connector(
        user: String = "postgres", password: String? = nil, database: String = "postgres",
        _ adjust: (inout PostgresConfiguration) -> Void = { _ in }
    ) -> PostgresConnector {
        var configuration = PostgresConfiguration(user: user, database: database, password: password)
        adjust(&configuration)
        return PostgresConnector(configuration, reactors: reactors)
    }
}

/// Starts a server before the suite and takes it down after it, whatever came of the tests in between.
struct ServerScope: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try await PostgresServer.launch()
        let result: Result<Void, any Error>
        do {
            let group = try ReactorGroup(count: 2, name: "test")
            defer { group.stop() }
            try await World.$shared.withValue(World(server: server, reactors: group.reactors)) {
                try await function()
            }
            result = .success(())
        } catch { result = .failure(error) }
        // Every test has ended, so every connection must have.
        #expect(await OpenSockets.vanish(server.port, server.socketPath), "descriptors were left open")
        await server.stop()
        try result.get()
    }
}

extension Trait where Self == ServerScope {
    static var withServer: ServerScope { ServerScope() }
}

/// Everything that talks to a real server; the suites are extensions of it in files of their own.
///
/// One after the other: they share a server and two threads, and some measure time.
@Suite(.withServer, .serialized) struct ServerTests {}
