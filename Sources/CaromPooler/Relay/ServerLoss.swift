// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What the loss of its server means to the client.
enum ServerLoss {
    /// It has lost nothing; what it has sent waits for another server.
    case unnoticed
    /// These bytes of the client's had no answer and go to another server.
    case again([UInt8])
    /// Each of the answers that it waits for is this error, and ReadyForQuery.
    case answer(ErrorFields, count: Int)
    /// The session ends.
    case end(SessionEnd)

    /// What it means to a client in this state. Whole messages only, and one answer for each unit that it waits for: where it has
    /// been sent a part of a message, or nobody can tell how many answers it waits for, the session ends instead.
    ///
    /// - Parameters:
    ///   - ownsServer: what the client has with the server cannot be had with another.
    ///   - isAtBorder: the client has sent whole messages.
    ///   - isEnding: it has said goodbye.
    init(
        _ reason: String, _ server: borrowing ServerState, isMute: Bool, ownsServer: Bool, isAtBorder: Bool,
        isEnding: Bool
    ) {
        if isMute {
            self = .end(.cutOff("server connection lost: \(reason)"))
            return
        }
        let isIdle = server.flow.isSynchronized && server.flow.transactionStatus == .idle
        if !ownsServer, isAtBorder, isIdle {
            self = .unnoticed
            return
        }
        let count = server.owedReplies
        let isOpenBatch = server.flow.hasUnsyncedMessages || server.flow.isSkippingToSync
        let isCertain =
            server.flow.isCertain && !server.flow.mayDiscardQuery && !server.flow.hasSyncInsideCopy
        let canAnswer = !ownsServer && !isEnding && isAtBorder && count > 0 && !isOpenBatch && isCertain
        let fields = ErrorFields(
            severity: canAnswer ? .error : .fatal, code: .connectionFailure,
            message: "server connection lost: \(reason)")
        self = canAnswer ? .answer(fields, count: count) : .end(.refused(fields))
    }
}

extension ServerLoss {
    /// Does what it means to the client.
    ///
    /// - Parameter server: which is lost; for the log.
    func follow(
        _ client: inout ClientLeg, _ session: ClientSession, _ server: PostgresConnection,
        _ counters: Counters
    ) throws(SessionEnd) {
        switch self {
        case .unnoticed: break
        case .again(let bytes):
            client.takeBack(bytes)
            counters.count(.retry)
            session.worker.log.info(
                "a request of \(bytes.count) bytes, not answered, goes to another server",
                in: session.context(.server, server: server))
        case .answer(let fields, let count):
            session.count(.serverRead)
            try client.send(session.answers(fields, count: count))
        case .end(let end):
            session.count(.serverRead)
            throw end
        }
        client.retry()
    }

    /// The server took nothing of the first that the client sent it: all of that, from `start` on, goes to another.
    ///
    /// - Returns: false if it does not, and is lost with the server.
    static func isUnsent(
        _ chunk: UnsafeRawBufferPointer, from start: Int, _ machine: inout RelayMachine,
        _ client: inout ClientLeg, _ leg: inout ServerLeg, _ session: ClientSession, _ counters: Counters
    ) -> Bool {
        guard let server = leg.server, !machine.isEnding, !machine.ownsServer,
            machine.retention.countLoss(upTo: Retention.attempts)
        else { return false }
        client.keep(chunk, from: start)
        machine.letGo(&server.state, isTakenBack: true)
        let reason = leg.lastWords(of: server, session.worker)
        session.worker.log.error(
            "server connection lost: \(reason)", in: session.context(.server, server: server))
        leg.lose(server, reason)
        counters.count(.retry)
        client.retry()
        return true
    }
}

extension ServerLeg {
    /// Why a server has hung up that takes nothing any more.
    fileprivate func lastWords(of server: PostgresConnection, _ worker: Worker) -> String {
        switch read(server, into: worker.buffer) {
        case .bytes(let count):
            let bytes = UnsafeRawBufferPointer(rebasing: worker.buffer[..<count])
            _ = server.state.receive(
                RawSpan(_unsafeBytes: bytes), limits: worker.snapshot.serverFrames)
        case .lost(let reason): return reason
        case .nothing: break
        }
        return server.state.failure?.message ?? "the server closed the connection"
    }
}

extension ServerLoss {
    /// The client's server could not be made clean: it is closed.
    @inline(never)
    static func replace(
        _ server: PostgresConnection, _ leg: inout ServerLeg, _ reason: String, _ session: ClientSession
    ) {
        session.worker.log.error(reason, in: session.context(.reset, server: server))
        leg.discard(reason)
    }

    /// The connection of the client's server is gone, and is given up.
    static func ofServer(
        _ server: PostgresConnection, _ machine: inout RelayMachine, _ leg: inout ServerLeg,
        _ client: borrowing ClientLeg, _ reason: String, _ session: ClientSession
    ) -> ServerLoss {
        session.worker.log.error(
            "server connection lost: \(reason)", in: session.context(.server, server: server))
        let room = client.room(of: session.worker.buffer)
        let loss = ofServer(&server.state, &machine, reason, room: room, retries: leg.readRetries)
        leg.lose(server, reason)
        return loss
    }

    /// - Parameters:
    ///   - room: how many bytes can be taken back for another server.
    ///   - retries: how often reads go to another.
    static func ofServer(
        _ server: inout ServerState, _ machine: inout RelayMachine, _ reason: String, room: Int, retries: Int
    ) -> ServerLoss {
        let wasPreparing = machine.phase == .preparing
        if !wasPreparing, !machine.ownsServer, !machine.isEnding,
            let bytes = machine.retention.takeBack(&server, room: room, retries: retries)
        {
            machine.letGo(&server, isTakenBack: true)
            return .again(bytes)
        }
        let loss =
            wasPreparing
            ? .unnoticed
            : ServerLoss(
                reason, server, isMute: isMute(machine, server), ownsServer: machine.ownsServer,
                isAtBorder: machine.walker.isAtBorder, isEnding: machine.isEnding)
        if !wasPreparing { machine.retention.end(&server) }
        machine.letGo(&server, isTakenBack: false)
        return loss
    }

    /// The server goes between two transactions. Whose own it is must be told, to all others it is one of many.
    static func leaving(_ goodbye: ErrorFields, _ server: inout ServerState, _ isOwned: Bool)
        -> ServerStep.Next
    {
        if !isOwned { return .lose(goodbye.message ?? "the server ended the session") }
        server.fail(PostgresError(goodbye))
        var message: [UInt8] = []
        goodbye.encode(into: &message)
        return .tell(message)
    }

    /// Bytes of ours inside a message would be taken for its own, and behind FATAL no answer is expected.
    static func isMute(_ machine: borrowing RelayMachine, _ server: borrowing ServerState) -> Bool {
        machine.phase != .preparing
            && (server.isInsideReply || server.hasSaidGoodbye && !machine.retention.hidesGoodbye)
    }
}
