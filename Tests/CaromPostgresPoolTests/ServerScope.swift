// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTestSupport
import Testing

/// Starts a PostgreSQL before the suite and takes it down after it.
struct ServerScope: SuiteTrait, TestScoping {
    @TaskLocal static var port: UInt16 = 0

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try await PostgresServer.launch()
        let result: Result<Void, any Error>
        do {
            result = .success(try await Self.$port.withValue(server.port) { try await function() })
        } catch { result = .failure(error) }
        await server.stop()
        try result.get()
    }
}

extension Trait where Self == ServerScope {
    static var withServer: ServerScope { ServerScope() }
}
