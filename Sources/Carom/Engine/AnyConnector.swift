// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connector without its connection's type, so that the engine is compiled once.
///
/// The closures are made once, in the application's module, where the connector's type is known: each is as direct
/// as a call of the connector itself. Every box they are given was made by `connect`.
@usableFromInline
struct AnyConnector: Sendable {
    @usableFromInline typealias Box = AnyPooledConnection
    @usableFromInline let acquires: Bool
    @usableFromInline let connect: @Sendable (PoolEngine, Backend, ConnectContext) async throws -> Box
    @usableFromInline let isValid: @Sendable (Box) async throws -> Void
    @usableFromInline let onAcquire: @Sendable (Box) async throws -> Void
    @usableFromInline let onRecycle: @Sendable (Box) async throws -> Void
    @usableFromInline let inspect: @Sendable (Box) -> ReturnInspection
    @usableFromInline let judge: @Sendable (Box, any Error) -> ReturnKind
    @usableFromInline let standing: @Sendable (Box) -> Standing
    @usableFromInline let isUsable: @Sendable (Box, Int64) -> Bool
    @usableFromInline let attributes: @Sendable (Box) -> [String: String]
    @usableFromInline let close: @Sendable (Box) async -> Void
    @usableFromInline let classify: @Sendable (any Error) -> FailureKind
    @usableFromInline let executor: @Sendable (Int?) -> (any TaskExecutor)?

    @inlinable
    init<C: Connector>(_ connector: C) {
        @Sendable func open(_ box: Box) -> C.Connection {
            unsafeDowncast(box, to: PooledConnection<C.Connection>.self).connection
        }
        acquires = C.Preparation.self != NoPreparation.self
        connect = { engine, backend, context in
            let connection = try await connector.connect(to: backend, context: context)
            return PooledConnection(
                engine: engine, slot: context.slot, backend: backend, connection: connection)
        }
        isValid = { try await connector.isValid(open($0)) }
        onAcquire = { _ = try await connector.onAcquire(open($0)) }
        onRecycle = { try await connector.onRecycle(open($0)) }
        standing = { box in
            let connection = open(box)
            return Standing(
                affinity: connector.affinity(of: connection) ?? .noAffinity,
                attributesVersion: connector.attributesVersion(of: connection))
        }
        inspect = { box in
            let connection = open(box)
            return ReturnInspection(
                kind: ReturnKind(connector.returned(connection)),
                standing: Standing(
                    affinity: connector.affinity(of: connection) ?? .noAffinity,
                    attributesVersion: connector.attributesVersion(of: connection)))
        }
        judge = { ReturnKind(connector.returned(open($0), after: $1)) }
        isUsable = { connector.isUsable(open($0), idleFor: .nanoseconds($1)) }
        attributes = { connector.attributes(of: open($0)) }
        close = { await connector.close(open($0)) }
        classify = { connector.classify($0) }
        executor = { connector.executor(affinity: $0) }
    }
}

/// Where a connection sits and what is known of it, at a look.
@usableFromInline
struct Standing: Sendable {
    /// The worker, `noAffinity` if none.
    @usableFromInline let affinity: Int
    @usableFromInline let attributesVersion: Int

    @usableFromInline
    init(affinity: Int, attributesVersion: Int) {
        self.affinity = affinity
        self.attributesVersion = attributesVersion
    }
}

/// What the connector says of a connection that is given back, in one call.
@usableFromInline
struct ReturnInspection: Sendable {
    @usableFromInline let kind: ReturnKind
    @usableFromInline let standing: Standing

    @usableFromInline
    init(kind: ReturnKind, standing: Standing) {
        self.kind = kind
        self.standing = standing
    }
}
