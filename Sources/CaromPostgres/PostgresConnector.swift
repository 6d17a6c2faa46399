// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import CaromPostgresProtocol
public import CaromReactor
import CaromTCP
import CaromTLS

/// Makes, checks and cleans connections to PostgreSQL for a pool.
///
/// Connections live on reactors; all work with one of them is done on its reactor's thread, whatever task asked.
/// Methods: trust, clear text, MD5 and SCRAM-SHA-256 (PostgreSQL protocol, chapter "Message Flow"). TCP and Unix sockets; the
/// latter are never encrypted.
public final class PostgresConnector: Connector {
    /// How it logs in and treats connections.
    public let configuration: PostgresConfiguration
    private let reactors: ReactorGroup
    private let tcp: TCPOptions
    private let encryption: ServerEncryption?
    private let observer: (any ConnectionObserver)?
    /// How often connections were reset when they came back.
    package let resets = ResetCounts()

    /// A connector whose connections are spread over the given reactors.
    ///
    /// - Precondition: `reactors` is not empty.
    public convenience init(
        _ configuration: PostgresConfiguration, reactors: [Reactor], tcp: TCPOptions = TCPOptions()
    ) {
        self.init(configuration, reactors: reactors, tcp: tcp, encryption: nil, observer: nil)
    }

    /// A connector that tells somebody of every connection that comes and goes.
    ///
    /// - Parameter encryption: nil for connections in the open.
    /// - Precondition: `reactors` is not empty.
    package init(
        _ configuration: PostgresConfiguration, reactors: [Reactor], tcp: TCPOptions,
        encryption: ServerEncryption?, observer: (any ConnectionObserver)?
    ) {
        self.configuration = configuration
        self.reactors = ReactorGroup(reactors)
        self.tcp = tcp
        self.encryption = encryption
        self.observer = observer
    }

    /// Connects and logs in.
    ///
    /// - Throws: ``PostgresError``; what the server said is in its `sqlState`.
    public func connect(to backend: Backend, context: ConnectContext) async throws -> PostgresConnection {
        let reactor = reactors.next(affinity: context.affinity)
        let deadline = Deadline.now + context.timeout
        do throws(PostgresError) {
            let connection = try await withTaskExecutorPreference(reactor) { () async throws(PostgresError) in
                try await self.open(backend, on: reactor, deadline: deadline, context.attributesChanged)
            }
            observer?.opened(connection)
            return connection
        } catch {
            observer?.failed(backend, error)
            throw error
        }
    }

    private func open(
        _ backend: Backend, on reactor: Reactor, deadline: Deadline,
        _ roleChanged: @escaping @Sendable () -> Void
    ) async throws(PostgresError) -> PostgresConnection {
        var plan = EncryptionPlan(mode(for: backend))
        while true {
            do throws(PostgresError) {
                return try await attempt(&plan, backend, on: reactor, deadline, roleChanged)
            } catch {
                guard plan.goesOn(after: error) else { throw error }
            }
        }
    }

    /// Nobody is between the ends of a Unix socket.
    private func mode(for backend: Backend) -> TLSMode {
        if case .unix = backend.address { return .disable }
        return encryption?.context.options.mode ?? .disable
    }

    private func attempt(
        _ plan: inout EncryptionPlan, _ backend: Backend, on reactor: Reactor, _ deadline: Deadline,
        _ roleChanged: @escaping @Sendable () -> Void
    ) async throws(PostgresError) -> PostgresConnection {
        let transport: Transport
        do throws(SystemError) {
            transport = try await Transport.connect(
                to: SocketAddress(backend.address), on: reactor, deadline: deadline, options: tcp)
        } catch {
            throw PostgresError(error)
        }
        let session = ServerSession()
        let conversation = Conversation(transport, session, deadline: deadline)
        defer { conversation.end() }
        do throws(PostgresError) {
            if plan.attempt != .plain, let encryption {
                try plan.answered(hasTLS: try await conversation.startTLS(encryption, to: backend))
            }
            let key = try await Login(configuration, conversation, session).run()
            let connection = PostgresConnection(
                id: ConnectionID(.server), backend: backend, transport: transport,
                encryption: plan.isEncrypted ? encryption : nil, session: session, key: key,
                statementCacheSize: configuration.statementCacheSize, onNotice: configuration.onNotice,
                roleChanged: roleChanged)
            if let query = configuration.connectQuery {
                try await welcome(connection, by: query, conversation)
            }
            return connection
        } catch {
            transport.close()
            throw error
        }
    }

    /// Runs the query for new connections.
    private func welcome(
        _ connection: PostgresConnection, by query: String, _ conversation: Conversation
    )
        async throws(PostgresError)
    {
        do throws(PostgresError) {
            try await conversation.execute(query, in: connection)
        } catch {
            throw PostgresError(
                error.code, "connect_query failed: \(error.message)", sqlState: error.sqlState,
                detail: error.detail, hint: error.hint)
        }
        guard connection.state.flow.isFree else {
            throw PostgresError(.invalidRequest, "connect_query failed: it leaves a transaction open")
        }
    }

    // MARK: Life of a connection

    /// One round trip: an empty query.
    public func isValid(_ connection: PostgresConnection) async throws {
        try await exclusively(connection, within: configuration.validationTimeout) {
            (conversation) throws(PostgresError) in
            try await conversation.execute(self.configuration.checkQuery, in: connection)
            connection.state.believeReports()
        }
    }

    /// Decides without waiting whether the connection can go straight to its next user.
    public func returned(_ connection: PostgresConnection) -> ReturnVerdict {
        if connection.transport.isClosed { return .discard(reason: "the connection was closed") }
        if configuration.replication != .none { return .discard(reason: "it was for one client") }
        switch connection.state.readiness {
        case .unusable(.failed):
            let failure = connection.state.failure
            let reason = failure?.message ?? "the connection failed"
            // A cancel that may still come is nothing that the backend did wrong.
            return failure?.code == .cancelled
                ? .discard(reason: reason) : .discardSuspectingBackend(reason: reason)
        case .unusable(.lost):
            return .discard(reason: "it is not known what the server still has to answer")
        case .unusable(.insideMessage): return .discard(reason: "the client left in the middle of a message")
        case .idle, .dirty, .busy, .indeterminate: break
        }
        if connection.transport.isHungUp {
            return .discardSuspectingBackend(reason: "the server has closed the connection")
        }
        if !connection.output.isEmpty {
            return .discard(reason: "the client left in the middle of a message")
        }
        // What the server says by itself, such as that it was promoted, is to be heard before anybody else has the connection.
        let isClean =
            connection.state.readiness == .idle && !configuration.recycling.discards && connection.isQuiet
        return isClean ? .clean : .recycle
    }

    /// Cancels what still runs, rolls back what is open and resets the session where that was asked for.
    ///
    /// - Throws: ``PostgresError`` when the connection cannot be made clean; it is to be closed then. With the code
    ///   ``PostgresError/Code/busy`` the server is not to be blamed.
    public func onRecycle(_ connection: PostgresConnection) async throws {
        try await exclusively(connection, within: configuration.recycling.timeout) {
            (conversation) throws(PostgresError) in
            try await self.clean(connection, conversation)
        }
    }

    /// Looks, without a system call, whether the server hung up or spoke while the connection lay idle.
    public func isUsable(_ connection: PostgresConnection, idleFor: Duration) -> Bool {
        connection.isQuiet
    }

    /// `role`: `primary` or `standby`; `access`: `read-write`, or `read-only` at a standby and where
    /// `default_transaction_read_only` is on. As the server reports it (PostgreSQL 14 and later).
    public func attributes(of connection: PostgresConnection) -> [String: String] {
        guard let role = connection.role else { return [:] }
        let isReadOnly = role == .standby || connection.state.role.isReadOnlyByDefault
        return ["role": role.rawValue, "access": isReadOnly ? "read-only" : "read-write"]
    }

    /// Changes when the server reports that its role changed.
    public func attributesVersion(of connection: PostgresConnection) -> Int { connection.state.role.version }

    /// The index of the reactor it lives on.
    public func affinity(of connection: PostgresConnection) -> Int? { connection.transport.reactor.index }

    /// Ends the session, and before that what it still runs: a server does not notice that its client has gone until it
    /// wants to say something. Returns when the server has ended it, too, if it can be expected to.
    public func close(_ connection: PostgresConnection) async {
        await withTaskExecutorPreference(connection.transport.reactor) {
            // Of a session that has failed nobody knows what the server makes of it.
            var isHeard = connection.state.failure == nil
            if !connection.transport.isHungUp, connection.state.flow.awaitsServer {
                // In the middle of a query it hears nothing but a cancel; without one it has to find the socket closed.
                var isCancelled = configuration.recycling.cancels
                if isCancelled { isCancelled = await cancelRunningQuery(connection) }
                isHeard = isHeard && isCancelled
            }
            await connection.terminate(isHeard: isHeard)
        }
        observer?.closed(connection)
    }

    /// A server that does not let us in is not broken: it does not believe us (class 28), has no such database (class 3D), or
    /// does not grant CONNECT on it (42501). Neither is one whose connect was cancelled, for which there was no descriptor, or that
    /// still works on what a client has left.
    public func classify(_ error: any Error) -> FailureKind {
        let error = error as? PostgresError
        switch error?.code {
        case .authentication: return .authentication
        case .cancelled, .resources, .busy, .invalidRequest, .tooLarge, .decoding: return .other
        case .server:
            let state = error?.sqlState ?? ""
            return state.hasPrefix("28") || state.hasPrefix("3D") || state == "42501"
                ? .authentication : .backend
        case .connection, .encryption, .timedOut, .protocolViolation, nil: return .backend
        }
    }

    /// The reactor of that index, so that nothing has to change threads.
    public func executor(affinity: Int?) -> (any TaskExecutor)? {
        affinity.map { reactors.next(affinity: $0) }
    }

    /// Runs `body` on the connection's thread with a conversation that ends after `limit`.
    package func exclusively<R: Sendable>(
        _ connection: PostgresConnection, within limit: Duration,
        _ body: (Conversation) async throws(PostgresError) -> R
    ) async throws(PostgresError) -> R {
        try await withTaskExecutorPreference(connection.transport.reactor) {
            () async throws(PostgresError) -> R in
            if connection.transport.isClosed { throw PostgresError(.connection, "\(connection) is closed") }
            let deadline = Deadline.now + limit
            let conversation = Conversation(connection.transport, connection.session, deadline: deadline)
            defer { conversation.end() }
            return try await body(conversation)
        }
    }
}
