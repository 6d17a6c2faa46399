// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromReactor
import CaromTCP

/// A client as its worker tells of it.
struct ConsoleClient: Sendable {
    enum State: String, Sendable {
        /// It has not logged in.
        case login
        /// It holds no server and wants none.
        case idle
        /// It stands in the queue for a server.
        case waiting
        /// It holds a server, or is at the console.
        case active
    }

    let owner: UInt64
    let name: ConnectionID
    let user: String
    let database: String
    let state: State
    let peer: SocketAddress
    let facts: TransportFacts?
    /// In seconds since 1970.
    let connectedAt: Int64
    /// What is known of one that is at its relay.
    var report: RelayReport?

    /// Its number as clients of the console know it, which must fit into four bytes. Of millions of clients two can have the same.
    var id: Int { Self.id(ofOwner: owner) }

    static func id(ofOwner owner: UInt64) -> Int {
        Int((owner & 0x1f_ffff) << 10 | owner >> Worker.ownerShift & 0x3ff)
    }

    /// Which worker has the client of such a number.
    static func worker(ofID id: Int) -> Int { id & 0x3ff }

    /// Its row in tables.
    ///
    /// - Parameter wait: how long it has waited for a server.
    func socket(wait: Duration = .zero) -> ConsoleSocket {
        var socket = ConsoleSocket(side: .client, state: state.rawValue)
        socket.user = user.isEmpty ? nil : user
        socket.database = database.isEmpty ? nil : database
        socket.host = peer.host.isEmpty ? "unix" : peer.host
        socket.port = peer.port == 0 ? nil : Int(peer.port)
        socket.facts = facts
        socket.connectedAt = connectedAt
        socket.wait = wait
        socket.name = "\(name)"
        socket.remoteProcess = (facts?.peerProcess?.number).map(Int.init)
        socket.id = id
        guard let report else { return socket }
        socket.link = report.server.map { server in
            ("\(server.connection.id)", server.connection.facts?.descriptor)
        }
        socket.replication = report.route.definition.replication
        socket.applicationName = report.applicationName
        socket.waitingBytes = (report.waitingBytes.fromClient, report.waitingBytes.toClient)
        return socket
    }
}

extension ConsoleClient {
    /// Nil once it is on its way out.
    init?(_ session: ClientSession) {
        var state = State.login
        var report: RelayReport?
        switch session.stage {
        case is Login, is ProxyGreeting: break
        case let relay as Relay:
            let known = relay.report
            report = known
            state = known.server != nil ? .active : known.waiter != nil ? .waiting : .idle
        case is Transfer, is HeldArrival: state = .idle
        case is ConsoleStage: state = .active
        default: return nil
        }
        let elapsed = session.startedAt.duration(to: .now).components.seconds
        self.init(
            owner: session.owner, name: session.id, user: session.user, database: session.database,
            state: state, peer: session.transport.peer, facts: TransportFacts(of: session.transport),
            connectedAt: LogTime.now().seconds - elapsed, report: report)
    }
}
