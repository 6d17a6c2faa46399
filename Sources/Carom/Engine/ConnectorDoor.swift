// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connector without its connection's type, so that the engine is compiled once.
///
/// The closures are made once, in the application's module, where the connector's type is known: each is as direct
/// as a call of the connector itself. Every box they are given was made by `connect`.
@usableFromInline
struct ConnectorDoor: Sendable {
    @usableFromInline typealias Box = AnyPooledConnection
    @usableFromInline let acquires: Bool
    @usableFromInline let connect: @Sendable (PoolEngine, Backend, ConnectContext) async throws -> Box
    @usableFromInline let isValid: @Sendable (Box) async throws -> Void
    @usableFromInline let onAcquire: @Sendable (Box) async throws -> Void
    @usableFromInline let onRecycle: @Sendable (Box) async throws -> Void
    @usableFromInline let returned: @Sendable (Box) -> ReturnVerdict
    @usableFromInline let isUsable: @Sendable (Box, Int64) -> Bool
    @usableFromInline let attributes: @Sendable (Box) -> [String: String]
    @usableFromInline let affinity: @Sendable (Box) -> Int?
    @usableFromInline let close: @Sendable (Box) async -> Void
    @usableFromInline let classify: @Sendable (any Error) -> FailureKind
    @usableFromInline let executor: @Sendable (Int?) -> (any TaskExecutor)?

    @inlinable
    init<C: Connector>(_ connector: C) {
        @Sendable func open(_ box: Box) -> C.Connection {
            unsafeDowncast(box, to: PooledConnection<C.Connection>.self).connection
        }
        acquires = connector.acquires
        connect = { engine, backend, context in
            let connection = try await connector.connect(to: backend, context: context)
            return PooledConnection(
                engine: engine, slot: context.slot, backend: backend, connection: connection)
        }
        isValid = { try await connector.isValid(open($0)) }
        onAcquire = { try await connector.onAcquire(open($0)) }
        onRecycle = { try await connector.onRecycle(open($0)) }
        returned = { connector.returned(open($0)) }
        isUsable = { connector.isUsable(open($0), idleFor: .nanoseconds($1)) }
        attributes = { connector.attributes(of: open($0)) }
        affinity = { connector.affinity(of: open($0)) }
        close = { await connector.close(open($0)) }
        classify = { connector.classify($0) }
        executor = { connector.executor(affinity: $0) }
    }
}
