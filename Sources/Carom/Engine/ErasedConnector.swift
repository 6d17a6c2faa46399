// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connector without its connection's type, so that the engine is compiled once and specialised never.
protocol ErasedConnector: AnyObject, Sendable {
    var acquires: Bool { get }
    func connect(to backend: Backend, context: ConnectContext) async throws -> any AnyConnectionBox
    func isValid(_ box: any AnyConnectionBox) async throws
    func onAcquire(_ box: any AnyConnectionBox) async throws
    func onRecycle(_ box: any AnyConnectionBox) async throws
    func returned(_ box: any AnyConnectionBox) -> ReturnVerdict
    func isUsable(_ box: any AnyConnectionBox, idleFor: Duration) -> Bool
    func attributes(of box: any AnyConnectionBox) -> [String: String]
    func affinity(of box: any AnyConnectionBox) -> Int?
    func close(_ box: any AnyConnectionBox) async
    func classify(_ error: any Error) -> FailureKind
    func executor(affinity: Int?) -> (any TaskExecutor)?
}

/// The erasure of one connector. Every box it is given was made by it.
final class ErasedConnectorOf<C: Connector>: ErasedConnector {
    let connector: C
    let acquires: Bool

    init(_ connector: C) {
        self.connector = connector
        acquires = connector.acquires
    }

    private func open(_ box: any AnyConnectionBox) -> C.Connection {
        unsafeDowncast(box, to: ConnectionBox<C.Connection>.self).connection
    }

    func connect(to backend: Backend, context: ConnectContext) async throws -> any AnyConnectionBox {
        let connection = try await connector.connect(to: backend, context: context)
        return ConnectionBox(slot: context.slot, backend: backend, connection: connection)
    }

    func isValid(_ box: any AnyConnectionBox) async throws { try await connector.isValid(open(box)) }
    func onAcquire(_ box: any AnyConnectionBox) async throws { try await connector.onAcquire(open(box)) }
    func onRecycle(_ box: any AnyConnectionBox) async throws { try await connector.onRecycle(open(box)) }
    func returned(_ box: any AnyConnectionBox) -> ReturnVerdict { connector.returned(open(box)) }
    func isUsable(_ box: any AnyConnectionBox, idleFor: Duration) -> Bool {
        connector.isUsable(open(box), idleFor: idleFor)
    }
    func attributes(of box: any AnyConnectionBox) -> [String: String] { connector.attributes(of: open(box)) }
    func affinity(of box: any AnyConnectionBox) -> Int? { connector.affinity(of: open(box)) }
    func close(_ box: any AnyConnectionBox) async { await connector.close(open(box)) }
    func classify(_ error: any Error) -> FailureKind { connector.classify(error) }
    func executor(affinity: Int?) -> (any TaskExecutor)? { connector.executor(affinity: affinity) }
}
