// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Decides what happens to the bytes of one client in either direction. It has no socket, no pool and no clock.
///
/// The relay (its shell) hands it chunks and does what it answers. What is known about the server is in the `ServerState`
/// of the server that the client holds at the time; what is known about the client's settings in its ``SessionBook``, and of its
/// prepared statements in ``ClientStatements``.
struct RelayMachine: ~Copyable {
    enum Phase: Equatable {
        /// The client holds no server. → `preparing` or `serving` by ``attach(to:as:rule:_:)``.
        case detached
        /// The server's session is brought to the client's settings; until the server has confirmed that, nothing of the
        /// client's goes to it. → `serving`, or `detached` when the server is lost or refuses.
        case preparing
        /// Bytes pass both ways. → `asking`; `detached` by release or loss.
        case serving
        /// The server is asked a question of our own behind the client's last; the client's bytes wait.
        /// → `serving`, `asking` another, `detached`.
        case asking(Question)
    }

    /// What the server is asked when the client's requests are answered.
    enum Question: Equatable {
        /// An empty query: its answer shows whether the server owes the client another ReadyForQuery.
        case isFree
        /// What the client's transaction has left in the session.
        case whatIsLeft
        /// The same after a RESET, whose ReadyForQuery the client is waiting for.
        case whatWasReset
        /// To take the settings that the session began with, after a RESET. The client may be waiting for its ReadyForQuery.
        case restore(isAwaited: Bool)
    }

    private(set) var phase = Phase.detached
    /// The client has said goodbye or closed its side, and is still owed answers: nothing more is read from it.
    private(set) var isEnding = false
    /// Whether the client keeps its server between transactions (session pooling).
    private let keepsServer: Bool
    /// Whether the client keeps its server as long as something of its own only lives there.
    private let pins: Bool
    /// Where the stream from the client stands.
    private var walker = FrameWalker()
    /// What is dropped of it.
    private var skipping = DetachedClient.Skipping.nothing
    /// The client's settings.
    private(set) var book: SessionBook
    /// What the client's messages mean.
    private var requests: ClientRequests
    /// A server has accepted the settings, for this client or for another with the same ones.
    private var isConfirmed = false
    /// The last of the queries in front of the client's bytes carries its settings.
    private var preludeHasSettings = false
    /// The question of the phase has been sent.
    private var isAsked = false
    /// The server has told the client of an error since it was free.
    private var hasFailed = false
    /// What the client is to be told of the settings of the server that it got.
    private var news: [UInt8] = []

    init(
        keepsServer: Bool, pins: Bool = true, book: SessionBook = SessionBook(),
        statements: ClientStatements? = nil
    ) {
        self.keepsServer = keepsServer
        self.pins = pins
        self.book = book
        requests = ClientRequests(statements)
    }

    /// The client's session begins with these settings.
    ///
    /// - Parameter isConfirmed: a server has accepted them before.
    mutating func begin(with book: SessionBook, isConfirmed: Bool) {
        self.book = book
        self.isConfirmed = isConfirmed
    }

    /// Whether the client's bytes go on to the server that it holds.
    @inline(__always)
    func mayForward(to server: borrowing ServerState) -> Bool {
        phase == .serving && !isEnding && (!requests.isHeldBack || server.flow.awaitsClientData)
    }

    /// What the client is to be told before its server answers.
    mutating func takeNews() -> [UInt8] {
        if news.isEmpty { return [] }
        defer { news = [] }
        return news
    }
}

// MARK: From the client, without a server

extension RelayMachine {
    /// Deals with what needs no server, from `position` on; see ``DetachedClient``.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, limits: borrowing FrameLimits, heldLimit: Int
    ) throws(SessionEnd) -> DetachedClient.Step {
        try DetachedClient.next(
            in: chunk, from: &position, &walker, &skipping, limits: limits, heldLimit: heldLimit)
    }

    /// The client has cancelled what it waits for a server for. That is dropped, as PostgreSQL drops what it had begun with.
    ///
    /// - Parameter first: the type of the message that the client waits with.
    /// - Returns: what the client is told; for extended messages ReadyForQuery comes with their Sync.
    mutating func cancelWait(_ first: UInt8) -> [UInt8] {
        let error = ErrorFields(
            severity: .error, code: .queryCanceled, message: "canceling statement due to user request")
        var told: [UInt8] = []
        error.encode(into: &told)
        if first == FrontendTag.query.rawValue || first == FrontendTag.functionCall.rawValue {
            skipping = .one
            told.append(contentsOf: ReadyForQuery.idleMessage)
        } else {
            skipping = .toSync
        }
        return told
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
    /// - Parameter isAsking: the server is asked even if its session needs nothing, because what it reports is to be heard.
    /// - Returns: whether ``phase`` is `serving`. If not, `out` is to be sent and the client's bytes wait for the replies: a query of
    ///   the client's must not run in another client's session, and only the reply shows that it would not.
    mutating func attach(
        to server: inout ServerState, as user: UInt64, rule: CleaningRule, isAsking: Bool = false,
        _ out: inout Segments
    ) -> Bool {
        requests.begin()
        if server.lastUser == user, isConfirmed, !isAsking, server.applied == book.wishes {
            phase = .serving
            return true
        }
        // That of a command in passing.
        _ = server.takeSuppressedError()
        if server.lastUser != 0, server.lastUser != user {
            server.hasForeignSequences = true
            clean(&server, rule, &out)
        }
        var statements: [UInt8] = []
        let count = book.wishes.appendStatements(from: server.applied, into: &statements)
        preludeHasSettings = count > 0
        if count > 0 {
            Self.ask(statements, &server, &out)
            server.apply(book.wishes)
        } else if isAsking {
            Self.ask([], &server, &out)
        }
        server.adopt(by: user)
        if server.suppressedReplies > 0 {
            phase = .preparing
            return false
        }
        phase = .serving
        isConfirmed = true
        news.append(contentsOf: book.tell(server.reported))
        return true
    }

    /// Asks for what takes another client's traces out of the session.
    private func clean(_ server: inout ServerState, _ rule: CleaningRule, _ out: inout Segments) {
        if rule.onEveryChange || (rule.ifTainted && server.taint == .everything) {
            Self.ask(Array("DISCARD ALL".utf8), &server, &out)
            server.didReset()
        } else if rule.ifTainted, server.taint == .state {
            Self.ask(Array(SessionReset.statements(server.reported).utf8), &server, &out)
            server.didResetState()
        }
    }

    /// Adds a query of the pooler's own, whose answer the client does not see.
    static func ask(_ sql: [UInt8], _ server: inout ServerState, _ out: inout Segments) {
        out.append { Query(sql).encode(into: &$0) }
        do throws(FlowError) { try server.sendSuppressed() } catch {
            preconditionFailure("a server that was lent takes no query: \(error)")
        }
    }

    /// Whether the client's transaction is over and nothing is under way, so that the server can go. Session pooling keeps it.
    mutating func mayRelease(_ server: inout ServerState) -> Bool {
        guard !keepsServer, book.kept.isEmpty, phase == .serving, walker.isAtBorder else { return false }
        switch server.readiness {
        case .idle, .dirty: return true
        case .indeterminate, .busy: return false
        // A server that cannot be used again is closed when its client's transaction is over.
        case .unusable: return server.flow.isFree
        }
    }

    /// Adds the question to `out` that the phase is about.
    mutating func ask(_ server: inout ServerState, _ out: inout Segments) {
        guard case .asking(let question) = phase else { preconditionFailure("there is a question to be asked") }
        isAsked = true
        // That of a command in passing.
        _ = server.takeSuppressedError()
        switch question {
        case .isFree: Self.ask([], &server, &out)
        case .whatIsLeft, .whatWasReset:
            Self.ask(book.inquiry, &server, &out)
            server.expectInquiry()
        case .restore:
            var statements: [UInt8] = []
            _ = book.wishes.appendStatements(from: server.applied, into: &statements)
            Self.ask(statements, &server, &out)
            server.apply(book.wishes)
        }
    }

    /// The server has gone back to the pool.
    mutating func detach() {
        phase = .detached
        requests.settle()
        hasFailed = false
    }
}

// MARK: From the client, with a server

extension RelayMachine {
    /// Records the messages of the chunk from `position` on, and adds what goes to the server to `out`. `position` ends behind
    /// them; the rest is kept.
    ///
    /// - Returns: how the session ends, if it does. What came before a goodbye or an offence still goes out: it has been recorded.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, to server: inout ServerState,
        limits: borrowing FrameLimits, _ out: inout Segments
    ) -> SessionEnd? {
        var next = position
        defer { server.setSendingMessage(!walker.isAtBorder) }
        do throws(SessionEnd) {
            // The data of a COPY belongs to what was sent before.
            while !requests.isHeldBack || server.flow.awaitsClientData {
                let before = (walker, position)
                switch walker.next(in: chunk, at: &next, limits: limits) {
                case .message(let byte, let range), .run(let byte, let range, _):
                    if byte == FrontendTag.terminate.rawValue { return endAfterAnswers(&server) }
                    let length = range.count
                    if try !requests.forward(byte, range, length: length, chunk, &server, &book, &out) {
                        (walker, position) = before
                        return nil
                    }
                case .beginning(let byte, let range, let length):
                    if try !requests.forward(byte, range, length: length, chunk, &server, &book, &out) {
                        (walker, position) = before
                        return nil
                    }
                case .continuation(_, let range, let isLast):
                    requests.forwardMore(range, isLast: isLast, chunk, &server, &book, &out)
                case .incomplete, .end: return nil
                case .invalid(let error): return .fatal(error.sqlState, "\(error)")
                }
                position = next
            }
        } catch {
            return error
        }
        return nil
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
        /// The client is told this, and its bytes go on: settings as its server reports them (`utc` is `UTC`), an answer that was held
        /// back.
        case tell([UInt8])
        /// The server has confirmed the client's settings, and the client's bytes go on.
        case prepared(telling: [UInt8])
        /// The server is free. The client is told something first.
        case release(telling: [UInt8])
        /// The server is asked the question of the phase; see ``ask(_:_:)``. The client is told something first.
        case ask(telling: [UInt8])
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
            if received.isOrdinary {
                if received.completed > 0 { return completed(&server, telling: []) }
                return rest(server, telling: [])
            }
            let told = heard(received, &server)
            if received.completed > 0 { return completed(&server, telling: told) }
            // Without a Sync behind what failed, no ReadyForQuery comes.
            if received.failed != nil, requests.isHeldBack, server.flow.outstandingReady == 0 {
                requests.goOn()
                server.passReady()
                return .tell(told)
            }
            return rest(server, telling: told)
        case .asking(let question):
            return !isAsked || server.suppressedReplies > 0 ? .proceed : answered(question, &server)
        case .preparing: return server.suppressedReplies > 0 ? .proceed : prepared(&server)
        case .detached: return .proceed
        }
    }

    /// Nothing changes hands. The data of a COPY goes on all the same.
    @inline(__always)
    private func rest(_ server: borrowing ServerState, telling told: [UInt8]) -> Next {
        let goesOn = requests.isHeldBack && server.flow.awaitsClientData
        return goesOn || !told.isEmpty ? .tell(told) : .proceed
    }

    /// Takes note of what is rare in replies.
    ///
    /// - Returns: what the client is told behind them.
    private mutating func heard(_ received: ServerState.Received, _ server: inout ServerState) -> [UInt8] {
        var told: [UInt8] = []
        if received.parametersChanged { book.wasTold(server.reported) }
        if received.deallocatedAll { requests.deallocatedAll() }
        if received.hasError { hasFailed = true }
        if received.hasStalePlan { requests.expirePlans() }
        if let error = received.misnamed, error.code == .invalidStatementName, let name = error.quotedName,
            let number = PreparedStatement.number(ofName: name)
        {
            // Somebody has ended it by SQL where nobody could see it.
            server.statements.forget(number)
        }
        if let error = received.misnamed {
            requests.renamed(error, number: received.failed?.lowerBound).encode(into: &told)
        }
        if let failed = received.failed { requests.failed(failed) }
        if let status = received.withheld { told.append(contentsOf: beginRepair(status, &server)) }
        return told
    }

    /// The client has got a ReadyForQuery, or would have but for a repair.
    private mutating func completed(
        _ server: inout ServerState, telling told: [UInt8], isResuming: Bool = false
    ) -> Next {
        if case .asking = phase { return .ask(telling: told) }
        hasFailed = false
        let wasHeldBack = requests.isHeldBack
        if wasHeldBack, server.flow.outstandingReady == 0 { requests.goOn() }
        if isEnding { return owesAnswers(server) ? (told.isEmpty ? .proceed : .tell(told)) : .finish }
        if !keepsServer, walker.isAtBorder {
            if server.flow.isFree, book.needsInquiry {
                phase = .asking(.whatIsLeft)
                return .ask(telling: told)
            }
            if mayRelease(&server) { return .release(telling: told) }
            if server.readiness == .indeterminate {
                phase = .asking(.isFree)
                return .ask(telling: told)
            }
        }
        return wasHeldBack || isResuming || !told.isEmpty ? .tell(told) : .proceed
    }

    /// The server has answered a question of our own.
    private mutating func answered(_ question: Question, _ server: inout ServerState) -> Next {
        let error = server.takeSuppressedError()
        phase = .serving
        isAsked = false
        var told = book.tell(server.reported)
        switch question {
        case .isFree: break
        case .whatIsLeft:
            if error == nil, let answer = server.takeAnswer() {
                settle(answer, &server)
            } else {
                // Nobody knows what the session is like; a short statement_timeout is enough for that. The client keeps it.
                server.requireReset()
                server.taint(.everything)
                book.keep(.unknown)
            }
            if !book.kept.isEmpty, book.wishes != server.applied {
                phase = .asking(.restore(isAwaited: false))
                return .ask(telling: told)
            }
        case .whatWasReset:
            if error == nil, let answer = server.takeAnswer() {
                server.apply(answer.settings)
                book.found(answer.settings)
                if server.flow.isFree, !keepsServer { settle(answer, &server) }
                if book.wishes != server.applied {
                    phase = .asking(.restore(isAwaited: true))
                    return .ask(telling: told)
                }
            }
            told.append(contentsOf: endRepair(&server))
        case .restore(let isAwaited): if isAwaited { told.append(contentsOf: endRepair(&server)) }
        }
        return completed(&server, telling: told, isResuming: true)
    }

    private mutating func settle(_ answer: SessionInquiry.Answer, _ server: inout ServerState) {
        server.apply(answer.settings)
        book.found(answer.settings)
        book.keep(pins ? answer.kept : [])
        if !answer.kept.isEmpty { server.taint(.everything) }
        if answer.kept.isEmpty, !book.hasUnknownChanges { server.clearTaint() }
        book.settle()
    }

    /// Settings went back to the server's defaults: they must go back to what the client's session began with.
    ///
    /// - Returns: the ReadyForQuery, if there is nothing to do.
    private mutating func beginRepair(_ status: TransactionStatus, _ server: inout ServerState) -> [UInt8] {
        if status == .failed { return endRepair(&server) }
        if !hasFailed, let name = requests.resetSetting {
            var applied = server.applied
            applied.remove(name)
            server.apply(applied)
            book.reset(name)
            if book.wishes == applied { return endRepair(&server) }
            phase = .asking(.restore(isAwaited: true))
        } else if book.onlyResetsAll, !hasFailed {
            server.apply(SettingValues())
            book.reset()
            phase = .asking(.restore(isAwaited: true))
        } else {
            phase = .asking(.whatWasReset)
        }
        return []
    }

    /// - Returns: what the client is told: settings, and the ReadyForQuery that it waits for.
    private mutating func endRepair(_ server: inout ServerState) -> [UInt8] {
        requests.goOn()
        book.settleReset(isOver: keepsServer || server.flow.transactionStatus == .idle)
        var messages = book.tell(server.reported)
        ReadyForQuery(status: server.flow.transactionStatus).encode(into: &messages)
        return messages
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
                    severity: .fatal, code: error.fields.code ?? .invalidParameterValue, message: reason,
                    detail: error.fields.detail, hint: error.fields.hint))
        }
        phase = .serving
        isConfirmed = true
        return .prepared(telling: book.tell(server.reported))
    }

    /// A message that changes nothing for the client, whenever it comes: a parameter that it knows already.
    func probe() -> [UInt8] { book.repetition() }
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
        if !keepsServer, book.kept.isEmpty, walker.isAtBorder, isIdle { return .unnoticed }
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
