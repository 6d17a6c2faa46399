// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import Carom
@testable import CaromPostgres

extension ConnectContext {
    /// A connect that a test makes by itself.
    static func test(within timeout: Duration = .seconds(20), affinity: Int? = nil) -> ConnectContext {
        ConnectContext(
            affinity: affinity, slot: .forTests, attempt: 1, deadline: PoolInstant(nanoseconds: .max),
            timeout: timeout)
    }
}

/// A session for the time of `body`, closed however that ends.
@discardableResult
func withSession<R: Sendable>(
    _ connector: PostgresConnector = World.current.connector(), to backend: Backend = World.current.backend,
    _ body: (PostgresConnection, PostgresConnector) async throws -> R
) async throws -> R {
    let connection = try await connector.connect(to: backend, context: .test())
    do {
        let result = try await body(connection, connector)
        await connector.close(connection)
        return result
    } catch {
        await connector.close(connection)
        throw error
    }
}

/// The error of a call that must fail with a ``PostgresError``.
func failure<R>(
    _ sourceLocation: SourceLocation = #_sourceLocation, of body: () async throws -> R
) async -> PostgresError {
    do {
        _ = try await body()
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record("another kind of error: \(error)", sourceLocation: sourceLocation)
    }
    return PostgresError(.connection, "no error was thrown")
}

/// Looks again and again until `condition` holds; the time limit of the tests ends it otherwise.
func until(_ condition: () async throws -> Bool) async throws {
    while try await !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

extension PostgresConnection {
    /// Sends messages as a client would that leaves afterwards, and reads until a message of the type `until` is here.
    func leave(
        _ connector: PostgresConnector, sending tags: [FrontendTag], until: BackendTag? = nil,
        _ encode: (inout [UInt8]) -> Void
    ) async throws {
        var bytes: [UInt8] = []
        encode(&bytes)
        let messages = bytes
        try await connector.exclusively(self, within: .seconds(20)) { (conversation) throws(PostgresError) in
            do {
                for tag in tags { try self.state.send(tag) }
            } catch {
                throw PostgresError(.protocolViolation, "\(error)")
            }
            try await conversation.send(messages)
            guard let until else { return }
            while true {
                let message = try await conversation.receive()
                if try self.state.receive(message.tag, message.body.span.bytes) == until { return }
            }
        }
    }

    /// The number that the statement's only value is.
    func number(_ sql: String) async throws -> Int {
        try await query(sql: sql)[0][0, as: Int.self]
    }
}

extension SlotID {
    /// Any slot: connectors take it for their logs at most.
    static var forTests: SlotID { SlotID(index: 0, generation: 0) }
}
