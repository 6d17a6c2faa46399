// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The stage of a session whose client is on its way from one process to another: neither of them reads from it or writes to it. In the
/// old process it lasts until the client was given away, in the new one until it was received.
final class Transfer: SessionStage {
    // Unowned: the session holds its stage.
    private unowned(unsafe) let session: ClientSession
    private let record: RelayRecord
    /// Who is told when the client is ended here meanwhile; nil in the new process, which has promised nothing yet.
    private let successor: Successor?
    /// In the new process: where the client comes from, and its number there.
    private let origin: Origin?
    /// The client is this process's.
    private var isCommitted = false
    /// It has done something.
    private var hasNews = false
    /// The pooler goes down, if the client stays.
    private var isStopping = false

    private init(
        _ session: ClientSession, _ record: RelayRecord, to successor: Successor? = nil,
        from origin: Origin? = nil
    ) {
        self.session = session
        self.record = record
        self.successor = successor
        self.origin = origin
    }

    /// A client of the process before this one.
    struct Origin: Sendable {
        let predecessor: Predecessor
        let client: UInt64
    }

    // MARK: In the old process

    /// What becomes of a client that is asked to go.
    enum Answer {
        /// It goes as soon as it can, or is under way.
        case goes
        /// It stays for as long as it is here: with TLS, at the console, for replication, with a server of its own.
        case stays
        /// It has not logged in yet.
        case notYet
    }

    /// Has a client go to the successor of this process as soon as it can.
    static func ask(_ session: ClientSession) -> Answer {
        guard let relay = session.stage as? Relay else {
            return session.stage is Login || session.stage is ProxyGreeting ? .notYet : .stays
        }
        let definition = relay.route.definition
        if definition.keepsServer || definition.replication != .none { return .stays }
        if TransportFacts(of: session.transport)?.encryption != nil { return .stays }
        relay.obey(.handOver)
        return .goes
    }

    /// Offers a client to the successor, if it can go now: whoever asks comes again with the client's next event.
    static func begin(_ session: ClientSession) {
        guard let successor = session.worker.successor, let relay = session.stage as? Relay,
            let record = relay.record, let state = ClientState(session, relay.route, record),
            let socket = GivenSocket.copy(of: session.transport)
        else { return }
        // It owes nobody anything.
        _ = relay.leave()
        session.enter(Transfer(session, record, to: successor))
        successor.offer(state, socket, of: session.owner)
    }

    /// The client is the other process's from now on.
    func depart() {
        session.worker.log.session("client goes on in the new process", in: session.context(.main))
        session.leaveQuietly()
    }

    // MARK: In the new process

    /// Takes in a client that another process has served.
    ///
    /// - Parameter origin: nil for one that this process has given away, and takes back.
    /// - Throws: why it cannot be served here.
    static func adopt(_ state: ClientState, as session: ClientSession, from origin: Origin?)
        throws(SessionEnd)
    {
        let startup = StartupMessage(user: state.user, database: state.database)
        session.identify(startup)
        session.hasProved = state.hasProved
        guard let definition = try session.findRoute(startup, nil) else {
            throw session.whyNobodyMayCome(startup)
        }
        session.showsID = definition.authentication(by: nil, of: state.user).showsID
        guard definition.console == nil, case .relay(let route) = try session.enter(definition, startup, nil)
        else { throw .fatal(.featureNotSupported, "the route leads to the console here") }
        if route.definition.keepsServer {
            throw .fatal(.featureNotSupported, "the route has a session pool here")
        }
        let worker = session.worker
        session.cancelKey = worker.cancels.adopt(state.key, session.owner, on: worker)
        if session.cancelKey == nil {
            throw .fatal(.internalError, "another client has the number of its cancel key")
        }
        state.credentials?.keep(for: route)
        let place = origin == nil ? "new process, which is gone" : "old process"
        worker.log.session("client comes from the \(place)", in: session.context(.setup))
        session.enter(Transfer(session, state.relay, from: origin))
    }

    /// The client is this process's, which serves it as soon as it does something: until then the old process takes it back if this one
    /// dies, and so it is told before.
    func hold() {
        isCommitted = true
        if hasNews || isStopping { use() }
    }

    private func use() {
        guard isCommitted, let origin else { return }
        origin.predecessor.used(origin.client)
    }

    // MARK: In either

    /// The client is served here, from where it was left.
    func resume() {
        guard let route = session.places.route else { return session.end(.shutdown) }
        let relay = Relay(session, route: route, opening: nil, record)
        // It holds on to this stage.
        let isStopping = isStopping
        session.enter(relay)
        // Routes may have changed meanwhile; and the client may have sent something.
        relay.obey(isStopping ? .stop : .look)
    }

    func handle(_ token: Int) {
        hasNews = true
        use()
    }

    func leave() -> OutputQueue {
        successor?.ended(session.owner)
        use()
        return OutputQueue()
    }

    func stop() {
        isStopping = true
        use()
    }

    func abort() { session.end(.shutdown) }
}

extension ClientState {
    /// Of a client that is at rest; nil if it has no key, so that nobody could cancel what it does.
    fileprivate init?(_ session: ClientSession, _ route: Route, _ record: RelayRecord) {
        guard let key = session.cancelKey else { return nil }
        self.init(
            id: session.id, startedAt: session.startedAt.nanoseconds, user: session.user,
            database: session.database, hasProved: session.hasProved, peer: session.transport.peer,
            listener: "\(session.listener.address)", key: key.data,
            credentials: PassedCredentials(route.history.passedKeys), relay: record)
    }
}
