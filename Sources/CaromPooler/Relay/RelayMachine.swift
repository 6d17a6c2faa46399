// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Decides what happens to the bytes of one client in either direction. It has no socket, no pool and no clock.
///
/// The relay (its shell) hands it chunks and does what it answers. What is known about the server is in the `ServerState`
/// of the server that the client holds at the time.
struct RelayMachine: ~Copyable {
    enum Phase: Equatable {
        /// The client holds no server. → `preparing` or `serving` by ``attach(to:as:rule:_:)``.
        case detached
        /// The server's session is brought to the client's settings; until the server has confirmed that, nothing of the
        /// client's goes to it. → `serving`, or `detached` when the server is lost or refuses.
        case preparing
        /// Bytes pass both ways. → `probing`; `detached` by release or loss.
        case serving
        /// The server is asked an empty query, because only the answer shows whether it owes the client another ReadyForQuery;
        /// the client's bytes wait. → `serving`, `detached`.
        case probing
    }

    private(set) var phase = Phase.detached
    /// The client has said goodbye or closed its side, and is still owed answers: nothing more is read from it.
    private(set) var isEnding = false
    /// Whether the client keeps its server between transactions (session pooling).
    private let keepsServer: Bool
    /// Where the stream from the client stands.
    private var walker = FrameWalker()
    /// The client's settings, as it believes they are.
    var parameters: SessionParameters
    /// A server has confirmed ``parameters``, for this client or for another with the same ones.
    private(set) var isConfirmed = false
    /// The last of the queries in front of the client's bytes carries its settings.
    private var preludeHasSettings = false

    init(keepsServer: Bool, parameters: SessionParameters) {
        self.keepsServer = keepsServer
        self.parameters = parameters
    }

    /// The client's settings are these, and a server has accepted them before.
    mutating func confirm(_ parameters: SessionParameters) {
        self.parameters = parameters
        isConfirmed = true
    }
}

// MARK: From the client, without a server

extension RelayMachine {
    enum DetachedStep: Equatable {
        /// The rest of the chunk is the beginning of a message: it is kept until more has come.
        case needMore
        /// A lone Sync, which the relay answers with ReadyForQuery; then it asks on.
        case answerReady
        /// At the position begins a message that needs a server.
        case needServer
    }

    /// Deals, as PostgreSQL would between transactions, with what needs no server, from `position` on, which moves along.
    ///
    /// A part of a message is no reason to take a server unless the whole is longer than `heldLimit`: a client that sends
    /// slowly, or never the rest, keeps no other client waiting.
    ///
    /// - Throws: how the session ends, for Terminate and for what is not allowed.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, limits: borrowing FrameLimits, heldLimit: Int
    ) throws(SessionEnd) -> DetachedStep {
        while true {
            // Most often work begins here: its type tells, and the message is walked once, by the step with a server.
            if walker.isAtBorder, position < chunk.byteCount {
                let tag = chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self)
                if tag == FrontendTag.query.rawValue || tag == FrontendTag.parse.rawValue,
                    walker.holdsNext(of: chunk, at: position, heldLimit: heldLimit)
                {
                    return .needServer
                }
            }
            let before = (walker, position)
            switch walker.next(in: chunk, at: &position, limits: limits) {
            case .message(let tag, _), .run(let tag, _, _):
                switch try meaning(of: tag) {
                case .startsWork:
                    (walker, position) = before
                    return .needServer
                case .answersReady: return .answerReady
                case .ignored, .terminates, .violation: break
                }
            case .beginning(let tag, _, let length):
                guard case .startsWork = try meaning(of: tag) else { break }
                (walker, position) = before
                return length > heldLimit ? .needServer : .needMore
            case .continuation: break
            case .incomplete, .end: return .needMore
            case .invalid(let error): throw .fatal(error.sqlState, "\(error)")
            }
        }
    }

    private func meaning(of byte: UInt8) throws(SessionEnd) -> FrontendTag.IdleMeaning {
        guard let tag = FrontendTag(rawValue: byte) else {
            throw .fatal(.protocolViolation, "invalid frontend message type \(byte)")
        }
        let meaning = tag.idleMeaning
        switch meaning {
        case .startsWork, .ignored, .answersReady: return meaning
        case .terminates: throw .terminated
        case .violation:
            throw .fatal(.protocolViolation, "unexpected message type \(tagText(byte)): nothing asked for it")
        }
    }
}

// MARK: A server comes and goes

extension RelayMachine {
    /// When a server must be reset before this client uses it.
    struct CleaningRule: Equatable {
        /// Whenever it served another client before.
        var onEveryChange = false
        /// When another client left something in its session.
        var ifTainted = true
    }

    /// The client has a server now. Brings its session to the client's settings if it differs: what that takes is added to
    /// `out`, as queries of the pooler's own.
    ///
    /// - Returns: whether ``phase`` is `serving`. If not, `out` is to be sent and the client's bytes wait for the replies: a query of
    ///   the client's must not run in another client's session, and only the reply shows that it would not.
    mutating func attach(
        to server: inout ServerState, as user: UInt64, rule: CleaningRule, _ out: inout Segments
    ) -> Bool {
        if server.lastUser == user, isConfirmed {
            phase = .serving
            return true
        }
        if server.lastUser != 0, server.lastUser != user,
            rule.onEveryChange || (rule.ifTainted && server.isTainted)
        {
            Self.ask("DISCARD ALL", server: &server, &out)
            server.didReset()
        }
        var count = 0
        out.append { count = parameters.appendQuery(synchronizing: server.parameters, into: &$0) }
        preludeHasSettings = count > 0
        if count > 0 {
            Self.expectReply(&server)
            server.expect(parameters)
        }
        server.adopt(by: user)
        phase = server.suppressedReplies > 0 ? .preparing : .serving
        if phase == .serving { isConfirmed = true }
        return phase == .serving
    }

    private static func ask(_ sql: String, server: inout ServerState, _ out: inout Segments) {
        out.append { Query(sql).encode(into: &$0) }
        expectReply(&server)
    }

    private static func expectReply(_ server: inout ServerState) {
        do throws(FlowError) {
            try server.sendSuppressed()
        } catch {
            preconditionFailure("a server that was lent takes no query: \(error)")
        }
    }

    /// Whether the client's transaction is over and nothing is under way, so that the server can go. Session pooling keeps it.
    mutating func mayRelease(_ server: inout ServerState) -> Bool {
        guard !keepsServer, phase == .serving, walker.isAtBorder else { return false }
        switch server.readiness {
        case .idle, .dirty: return true
        case .indeterminate, .busy: return false
        // A server that cannot be used again is closed when its client's transaction is over.
        case .unusable: return server.flow.isFree
        }
    }

    /// Adds the empty query to `out` that shows whether the server owes anything.
    mutating func askWhetherFree(_ server: inout ServerState, _ out: inout Segments) {
        Self.ask("", server: &server, &out)
        phase = .probing
    }

    /// The server has gone back to the pool.
    mutating func detach() { phase = .detached }
}

// MARK: From the client, with a server

extension RelayMachine {
    /// Records every message of the chunk from `position` on, and adds what goes to the server to `out`. `position` ends behind
    /// it; the rest is kept.
    ///
    /// - Returns: how the session ends, if it does. What came before a goodbye or an offence still goes out: it has been recorded.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, to server: inout ServerState,
        limits: borrowing FrameLimits, _ out: inout Segments
    ) -> SessionEnd? {
        let start = position
        var sent = position
        defer {
            position = sent
            if sent > start { out.append(chunk: start..<sent) }
            server.setSendingMessage(!walker.isAtBorder)
        }
        while true {
            switch walker.next(in: chunk, at: &position, limits: limits) {
            case .message(let tag, let range), .run(let tag, let range, _), .beginning(let tag, let range, _):
                if tag == FrontendTag.terminate.rawValue {
                    return endAfterAnswers(&server)
                }
                do throws(FlowError) {
                    try server.send(tag)
                } catch {
                    return .fatal(error.sqlState, "\(error)")
                }
                sent = range.upperBound
            case .continuation(_, let range, _): sent = range.upperBound
            case .incomplete, .end: return nil
            case .invalid(let error): return .fatal(error.sqlState, "\(error)")
            }
        }
    }

    /// The client has closed its side of the connection.
    ///
    /// - Returns: how the session ends; nil while answers are under way, which a client that only closed its sending side reads.
    mutating func clientClosed(_ server: inout ServerState) -> SessionEnd? {
        guard phase == .serving, walker.isAtBorder, server.unread.isEmpty || !server.isInsideReply else {
            return .clientLeft
        }
        return endAfterAnswers(&server) == nil ? nil : .clientLeft
    }

    /// Ends the session at once if nothing is owed to the client, else after the last answer (as PostgreSQL does: it reads the
    /// goodbye when the query before it is over).
    private mutating func endAfterAnswers(_ server: inout ServerState) -> SessionEnd? {
        guard owesAnswers(server) else { return .terminated }
        isEnding = true
        return nil
    }

    private func owesAnswers(_ server: borrowing ServerState) -> Bool {
        server.owedReplies > 0 && !server.flow.awaitsClientData
    }
}

// MARK: From the server

extension RelayMachine {
    /// What is to be done after a chunk from the server, when its visible part has gone to the client.
    enum Next {
        /// Nothing changes hands.
        case proceed
        /// The server has confirmed the client's settings, and the client's bytes go on. What became of a value is the client's to
        /// know (`utc` is `UTC`): these messages tell it.
        case prepared(telling: [UInt8])
        /// The server is free.
        case release
        /// Whether the server is free shows the answer to an empty query; see ``askWhetherFree(_:_:)``.
        case probe
        /// The client had said goodbye and has its last answer.
        case finish
        /// The server refused a setting of the client's.
        case refuse(ErrorFields)
        /// The server could not be made clean: it is closed, and the client gets another.
        case replace(String)
        /// The server broke the protocol.
        case lose(String)
    }

    struct ServerStep: ~Copyable {
        let received: ServerState.Received
        let next: Next
    }

    /// Records a chunk from the server.
    mutating func serverSent(
        _ chunk: RawSpan, _ server: inout ServerState, limits: borrowing FrameLimits
    ) -> ServerStep {
        let received = server.receive(chunk, limits: limits)
        return ServerStep(received: received, next: next(after: received, &server))
    }

    private mutating func next(after received: ServerState.Received, _ server: inout ServerState) -> Next {
        if received.isBroken { return .lose(server.failure?.message ?? "it broke the protocol") }
        switch phase {
        case .serving:
            if received.parametersChanged { parameters = server.parameters }
            guard received.completed > 0 else { return .proceed }
            if isEnding { return owesAnswers(server) ? .proceed : .finish }
            if mayRelease(&server) { return .release }
            if !keepsServer, walker.isAtBorder, server.readiness == .indeterminate { return .probe }
            return .proceed
        case .probing:
            if received.parametersChanged { parameters = server.parameters }
            if server.suppressedReplies > 0 { return .proceed }
            _ = server.takeSuppressedError()
            phase = .serving
            return mayRelease(&server) ? .release : .proceed
        case .preparing: return server.suppressedReplies > 0 ? .proceed : prepared(&server)
        case .detached: return .proceed
        }
    }

    private mutating func prepared(_ server: inout ServerState) -> Next {
        if let error = server.takeSuppressedError() {
            phase = .detached
            // Which of the settings it has now is not known.
            server.requireReset()
            let reason = error.fields.message ?? "no reason given"
            // The settings go last: an earlier error is that of the reset.
            if !preludeHasSettings || error.repliesLeft > 1 {
                return .replace("the server could not be reset: \(reason)")
            }
            return .refuse(
                ErrorFields(
                    severity: .fatal, code: error.fields.code ?? .invalidParameterValue,
                    message: "the server refused the session's parameters: \(reason)"))
        }
        phase = .serving
        isConfirmed = true
        let wanted = parameters
        parameters = server.parameters
        var messages: [UInt8] = []
        if parameters != wanted {
            for parameter in parameters.known where parameter.value != wanted[parameter.name] {
                ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &messages)
            }
        }
        return .prepared(telling: messages)
    }

    /// A message that changes nothing for the client, whenever it comes: a parameter that it knows already.
    func probe() -> [UInt8] {
        var message: [UInt8] = []
        if let known = parameters.known.last {
            ParameterStatus(name: known.name, value: known.value).encode(into: &message)
        }
        return message
    }
}

// MARK: A server is lost

extension RelayMachine {
    /// What the loss of its server means to the client.
    enum Loss {
        /// It has lost nothing; what it has sent waits for another server.
        case unnoticed
        /// Each of the answers that it waits for is this error, and ReadyForQuery.
        case answer(ErrorFields, count: Int)
        /// The session ends.
        case end(SessionEnd)
    }

    /// Bytes of ours inside a message would be taken for its own, and behind FATAL no answer is expected.
    func isMute(_ server: borrowing ServerState) -> Bool {
        phase != .preparing && (server.isInsideReply || server.hasSaidGoodbye)
    }

    /// The server's connection is gone.
    ///
    /// The client gets whole messages only, and one answer for each unit it waits for. Where it has been sent a part of a message, or
    /// nobody can tell how many answers it waits for, the session ends instead.
    mutating func serverLost(_ reason: String, _ server: inout ServerState) -> Loss {
        let before = phase
        phase = .detached
        if before == .preparing { return .unnoticed }
        if isMute(server) { return .end(.cutOff("server connection lost: \(reason)")) }
        let isIdle = server.flow.isSynchronized && server.flow.transactionStatus == .idle
        if !keepsServer, walker.isAtBorder, isIdle { return .unnoticed }
        let count = server.owedReplies
        let isOpenBatch = server.flow.hasUnsyncedMessages || server.flow.isSkippingToSync
        let isCertain =
            server.flow.isCertain && !server.flow.mayDiscardQuery && !server.flow.hasSyncInsideCopy
        let canAnswer =
            !keepsServer && !isEnding && walker.isAtBorder && count > 0 && !isOpenBatch && isCertain
        let fields = ErrorFields(
            severity: canAnswer ? .error : .fatal, code: .connectionFailure,
            message: "server connection lost: \(reason)")
        return canAnswer ? .answer(fields, count: count) : .end(.refused(fields))
    }
}

// MARK: For the log

extension RelayMachine {
    /// The text of each Query and Parse of a chunk, as far as it has come.
    func queries(in chunk: RawSpan, from start: Int, limits: borrowing FrameLimits) -> [String] {
        QueryTexts.collect(chunk, from: start, walker, limits: limits)
    }
}
