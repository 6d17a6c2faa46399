// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
package import CaromPostgresProtocol
package import CaromReactor
package import CaromTCP

/// An authenticated session with a PostgreSQL server, made by ``PostgresConnector`` and lent by a pool.
///
/// It belongs to whoever holds its claim, and to one reactor's thread at a time.
public final class PostgresConnection: Sendable, CustomStringConvertible {
    /// Which server it leads to.
    public let backend: Backend
    /// A name for logs that is unique in the world.
    package let id: ConnectionID
    package let transport: Transport
    /// What the connection is encrypted with, for cancels to be it, too; nil if it is not.
    let encryption: ServerEncryption?
    let session: ServerSession
    private let roleChanged: @Sendable () -> Void
    /// What a CancelRequest must carry.
    package let key: BackendKeyData
    /// How many statements of the client API it keeps.
    let statementCacheSize: Int
    /// Is given what the server says beside its answers.
    let onNotice: (@Sendable (PostgresNotice) -> Void)?
    /// When the server greeted: what it reported then was true.
    package let greetedAt = Deadline.now
    /// Of its socket, for tables.
    package let facts: TransportFacts?

    init(
        id: ConnectionID, backend: Backend, transport: Transport, encryption: ServerEncryption?,
        session: ServerSession, key: BackendKeyData, statementCacheSize: Int,
        onNotice: (@Sendable (PostgresNotice) -> Void)?,
        roleChanged: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.backend = backend
        self.transport = transport
        facts = TransportFacts(of: transport)
        self.encryption = encryption
        self.session = session
        self.key = key
        self.statementCacheSize = statementCacheSize
        self.onNotice = onNotice
        self.roleChanged = roleChanged
    }

    /// The server has reported a parameter while the connection is lent: if it tells of another role, the pool hears of it at once.
    package func parameterChanged(since version: Int) {
        if state.role.version != version { roleChanged() }
    }

    /// What is known about the session; for the holder of the connection.
    package var state: ServerState {
        unsafeAddress { session.stateAddress }
        unsafeMutableAddress { UnsafeMutablePointer(mutating: session.stateAddress) }
    }

    /// Bytes that the server has not taken yet; for the holder of the connection.
    package var output: OutputQueue {
        unsafeAddress { session.outputAddress }
        unsafeMutableAddress { UnsafeMutablePointer(mutating: session.outputAddress) }
    }

    /// Whether the server neither hung up nor spoke while nobody used the connection.
    package var isQuiet: Bool { transport.isUndisturbed }

    /// The server's process number, as in `pg_stat_activity.pid`.
    public var processID: UInt32 { key.processID }

    /// `s` and the unique name, with the address: for logs.
    public var description: String { "\(id) \(backend.address)" }

    /// Closes the session with a Terminate message, if the socket takes it, and the socket in any case.
    ///
    /// Call it on the thread of the transport's reactor. Cancelling the task ends the wait.
    ///
    /// - Parameter isHeard: the server is about to hear it, so its end is waited for: until then it counts the session, and shows it.
    package func terminate(isHeard: Bool) async {
        guard !transport.isClosed else { return }
        if output.isEmpty, state.readiness != .unusable(.insideMessage) {
            let goodbye: [UInt8] = [FrontendTag.terminate.rawValue, 0, 0, 0, 4]
            // Whether the server still hears it changes nothing.
            goodbye.withUnsafeBytes { bytes in _ = try? transport.write(bytes) }
        }
        // Somebody may be waiting for the socket: a lease that is revoked, a check that hangs.
        guard isHeard, !transport.isHungUp else { return transport.close(notify: true) }
        await ClosingSocket(transport)?.waitForPeer(until: .now + .seconds(3))
    }
}
