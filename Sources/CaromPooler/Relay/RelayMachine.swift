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
        /// The client holds no server. → `preparing` or `serving` by ``attach(to:as:rule:isAsking:_:)``.
        case detached
        /// The server's session is brought to the client's settings; until the server has confirmed that, nothing of the
        /// client's goes to it. → `serving`, or `detached` when the server is lost or refuses.
        case preparing
        /// Bytes pass both ways. → `asking`; `detached` by release or loss.
        case serving
        /// The server is asked a question of our own behind the client's last; the client's bytes wait.
        /// → `serving`, `asking` another, `detached`.
        case asking(SessionQuestion)
    }

    private(set) var phase = Phase.detached
    /// The client has said goodbye or closed its side, and is still owed answers: nothing more is read from it.
    private(set) var isEnding = false
    /// Whether the client keeps its server between transactions (session pooling).
    private let keepsServer: Bool
    /// Whether the client keeps its server as long as something of its own only lives there.
    private let pins: Bool
    /// A server has accepted the settings, for this client or for another with the same ones.
    private(set) var isConfirmed = false
    /// The question of the phase has been sent.
    private var isAsked = false
    /// The server has told the client of an error since it was free.
    private var hasFailed = false
    /// Where the stream from the client stands.
    private(set) var walker = FrameWalker()
    /// What is dropped of it.
    private(set) var skipping = DetachedClient.Skipping.nothing
    /// The client's settings.
    private(set) var book: SessionBook
    /// What the client's messages mean.
    private(set) var requests: ClientRequests
    private var prelude: Prelude
    /// What the client is to be told of the settings of the server that it got.
    private var news: [UInt8] = []
    private let counters: Counters

    init(
        keepsServer: Bool, pins: Bool = true, oneAtATime: Bool = false, isConfirmed: Bool = false,
        book: consuming SessionBook = SessionBook(), records: [StatementRecord] = [],
        statements: ClientRequests.Origin? = nil, reset: ResetQuery = .discardAll, counters: Counters
    ) {
        self.keepsServer = keepsServer
        self.pins = pins
        (self.book, self.isConfirmed) = (book, isConfirmed)
        self.counters = counters
        requests = ClientRequests(statements, counters, records)
        prelude = Prelude(reset: reset)
        if oneAtATime { requests.pause.takeOneAtATime() }
    }

    /// The client's session begins with these settings; if they are confirmed a server has accepted them before.
    mutating func begin(with book: consuming SessionBook, isConfirmed: Bool) {
        (self.book, self.isConfirmed) = (book, isConfirmed)
    }

    /// Whether the client's bytes go on to the server that it holds.
    @inline(__always)
    func mayForward(to server: borrowing ServerState) -> Bool {
        phase == .serving && !isEnding && (!requests.pause.holds(server) || !walker.isAtBorder)
    }

    mutating func takeVacated() -> [String] { book.takeVacated() }

    /// What goes to another server if this one is lost.
    var retention: Retention {
        _read { yield requests.retention }
        _modify { yield &requests.retention }
    }

    /// What the client is to be told before its server answers.
    mutating func takeNews() -> [UInt8] {
        defer { if !news.isEmpty { news = [] } }
        return news
    }

    // MARK: From the client, without a server

    /// Deals with what needs no server, from `position` on; see ``DetachedClient``.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, limits: borrowing FrameLimits, heldLimit: Int
    ) throws(SessionEnd) -> DetachedClient.Step {
        try DetachedClient.next(
            in: chunk, from: &position, &walker, &skipping, limits: limits, heldLimit: heldLimit)
    }

    /// The client has cancelled what it waits for a server for; see ``DetachedClient/cancel(_:_:)``.
    mutating func cancelWait(_ first: UInt8) -> [UInt8] { DetachedClient.cancel(first, &skipping) }

    // MARK: A server comes and goes

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
        requests.begin(&book)
        server.clock = ServiceClock()
        if server.lastUser == user, isConfirmed, !isAsking, server.settingsMark == book.version {
            phase = .serving
            return true
        }
        prelude.ask(for: book.wishes, of: user, &server, rule, isAsking: isAsking, counters, &out)
        server.adopt(by: user, mark: book.version)
        if server.suppressedReplies > 0 {
            phase = .preparing
            return false
        }
        phase = .serving
        isConfirmed = true
        news.append(contentsOf: book.tell(server.reported))
        return true
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
        guard case .asking(let question) = phase else {
            preconditionFailure("there is a question to be asked")
        }
        isAsked = true
        // That of a command in passing.
        _ = server.takeSuppressedError()
        OwnQuery.ask(
            requests.channels?.statements(for: question) ?? book.statements(for: question, server),
            apart: question.isAwaited && question != .rollBack, &server, &out)
        switch question {
        case .isFree, .rollBack: break
        case .whatIsHeard: server.expectInquiry()
        case .whatIsLeft, .whatWasReset:
            counters.count(.look)
            server.expectInquiry()
        case .restore:
            counters.count(.settings)
            server.apply(book.wishes)
        }
    }

    /// The server has gone back to the pool.
    mutating func detach() {
        phase = .detached
        requests.settle()
        hasFailed = false
    }

    // MARK: From the client, with a server

    /// Records the messages of the chunk from `position` on, and adds what goes to the server to `out`. `position` ends behind
    /// them; the rest is kept.
    ///
    /// - Returns: how the session ends, if it does. What came before a goodbye or an offence still goes out: it has been recorded.
    mutating func clientSent(
        _ chunk: RawSpan, from position: inout Int, to server: inout ServerState,
        limits: borrowing FrameLimits, _ out: inout Segments
    ) -> SessionEnd? {
        var next = position
        defer {
            server.setSendingMessage(!walker.isAtBorder)
            requests.retention.noteChunk()
        }
        do throws(SessionEnd) {
            // The data of a COPY belongs to what was sent before, and so does the rest of a message.
            while requests.pause.admits(&server) || !walker.isAtBorder {
                let before = (walker, position)
                switch walker.next(in: chunk, at: &next, limits: limits) {
                case .message(let byte, let range), .run(let byte, let range, _):
                    if byte == FrontendTag.terminate.rawValue { return endAfterAnswers(&server, &out) }
                    if try !requests.forward(byte, range, length: range.count, chunk, &server, &book, &out) {
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

    /// The client has closed its side. Returns how the session ends; nil while answers are under way, which it may still read.
    mutating func clientClosed(_ server: inout ServerState, _ out: inout Segments) -> SessionEnd? {
        phase == .serving && endAfterAnswers(&server, &out) == nil ? nil : .clientLeft
    }

    /// Ends the session at once if nothing is owed to the client, else after the last answer (as PostgreSQL does: it reads the
    /// goodbye when what came before it is done). For those without a Sync behind them the server is asked.
    private mutating func endAfterAnswers(_ server: inout ServerState, _ out: inout Segments) -> SessionEnd? {
        if server.flow.hasUnsyncedMessages, walker.isAtBorder, (try? server.send(.flush)) != nil {
            out.append { $0.appendEmptyMessage(FrontendTag.flush.rawValue) }
        }
        isEnding = server.owesClient(behind: walker)
        return isEnding ? nil : .terminated
    }

    // MARK: From the server

    /// Records a chunk from the server.
    mutating func serverSent(
        _ chunk: RawSpan, _ server: inout ServerState, limits: borrowing FrameLimits
    ) -> ServerStep {
        let received = server.receive(chunk, limits: limits)
        return ServerStep(received: received, next: next(after: received, &server))
    }

    private mutating func next(after received: ServerState.Received, _ server: inout ServerState)
        -> ServerStep.Next
    {
        if received.isBroken { return .lose(server.failure?.message ?? "it broke the protocol") }
        switch phase {
        case .serving:
            // An error that is told of came behind these.
            if received.completed > (received.withheld == nil ? 0 : 1) { hasFailed = false }
            if received.isOrdinary {
                if received.completed > 0 { return completed(&server, telling: []) }
                return rest(server, telling: [])
            }
            let told = heard(received, &server)
            if let goodbye = received.goodbye { return ServerLoss.leaving(goodbye, &server, ownsServer) }
            // Without a Sync behind what failed, no ReadyForQuery comes.
            let mayGoOn = received.failed != nil && requests.pause.mayHaveHeld
            let goesOn = mayGoOn && server.flow.outstandingReady == 0
            if goesOn {
                requests.goOn(&server)
                server.withholding.end()
            }
            if received.completed > 0 { return completed(&server, telling: told, isResuming: goesOn) }
            return goesOn && !isEnding ? .tell(told) : rest(server, telling: told)
        case .asking(let question):
            return !isAsked || server.suppressedReplies > 0 ? .proceed : answered(question, &server)
        case .preparing: return server.suppressedReplies > 0 ? .proceed : prepared(&server)
        case .detached: return .proceed
        }
    }

    /// Nothing changes hands.
    @inline(__always)
    private mutating func rest(_ server: borrowing ServerState, telling told: [UInt8]) -> ServerStep.Next {
        let isOver = isEnding && !server.isInsideReply && !server.owesClient(behind: walker)
        if isOver { return .finish(telling: told) }
        let goesOn = !server.isInsideReply && requests.pause.goesOn(server.flow)
        return goesOn || !told.isEmpty ? .tell(told) : .proceed
    }

    /// Takes note of what is rare in replies. Returns what the client is told behind them.
    private mutating func heard(_ received: ServerState.Received, _ server: inout ServerState) -> [UInt8] {
        var told: [UInt8] = []
        if received.parametersChanged { book.wasTold(server.reported) }
        if received.hasError { hasFailed = true }
        requests.heard(received, &server, &told)
        if let status = received.withheld { told.append(contentsOf: beginRepair(status, &server)) }
        return told
    }

    /// The client has got a ReadyForQuery, or would have but for a repair.
    private mutating func completed(
        _ server: inout ServerState, telling told: [UInt8], isResuming: Bool = false
    ) -> ServerStep.Next {
        if case .asking = phase { return .ask(telling: told) }
        let wasHeldBack = requests.pause.mayHaveHeld
        if wasHeldBack, server.flow.outstandingReady == 0 { requests.goOn(&server) }
        if isEnding { return rest(server, telling: told) }
        if !keepsServer, walker.isAtBorder {
            if server.flow.isFree, book.needsInquiry, !(isResuming && book.isUnanswered) {
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
    private mutating func answered(_ question: SessionQuestion, _ server: inout ServerState)
        -> ServerStep.Next
    {
        phase = .serving
        isAsked = false
        var told = book.tell(server.reported)
        if case .whatIsHeard(let isAwaited) = question { return heardOf(isAwaited, &server, told) }
        defer { server.settingsMark = book.wishes == server.applied ? book.version : ServerState.noMark }
        if let next = book.answered(
            question, &server, keepsServer: keepsServer, pins: pins, counters)
        {
            phase = .asking(next)
            return .ask(telling: told)
        }
        if question.isAwaited {
            told.append(contentsOf: endRepair(&server, isReset: question != .rollBack))
        } else if book.kept.contains(.channels), requests.channels != nil, ClientChannels.canFollow(server) {
            phase = .asking(.whatIsHeard(isAwaited: false))
        }
        return completed(&server, telling: told, isResuming: true)
    }

    /// The server has told what the client's transaction has made of its channels.
    private mutating func heardOf(_ isAwaited: Bool, _ server: inout ServerState, _ told: [UInt8])
        -> ServerStep.Next
    {
        if !Repair.heard(isAwaited: isAwaited, &requests, &book, &server) {
            let rest = isAwaited ? endRepair(&server, isReset: false) : []
            return completed(&server, telling: told + rest, isResuming: true)
        }
        requests.goOn(&server)
        return .listen(telling: told, then: completed(&server, telling: [], isResuming: true))
    }

    /// - Returns: what the client is told; the ReadyForQuery, if there is nothing to do.
    private mutating func beginRepair(_ status: TransactionStatus, _ server: inout ServerState) -> [UInt8] {
        guard let question = Repair.begin(status, hasFailed: hasFailed, &requests, &book, &server) else {
            return endRepair(&server)
        }
        phase = .asking(question)
        if question != .rollBack { return [] }
        counters.count(.refusedTransaction)
        return hasFailed ? [] : SessionQuestion.openTransaction
    }

    /// - Returns: what the client is told: settings, and the ReadyForQuery that it waits for.
    private mutating func endRepair(_ server: inout ServerState, isReset: Bool = true) -> [UInt8] {
        let isOver = keepsServer || server.flow.transactionStatus == .idle
        if let next = Repair.end(isReset: isReset, isOver: isOver, requests, &book, server) {
            phase = .asking(next)
            return []
        }
        requests.goOn(&server)
        hasFailed = false
        var messages = book.tell(server.reported)
        ReadyForQuery(status: server.flow.transactionStatus).encode(into: &messages)
        return messages
    }

    private mutating func prepared(_ server: inout ServerState) -> ServerStep.Next {
        if let error = server.takeSuppressedError() {
            phase = .detached
            return prelude.failed(error, &server, counters)
        }
        phase = .serving
        isConfirmed = true
        return .prepared(telling: book.tell(server.reported))
    }

    // MARK: A server is lost

    /// What the client has with the server cannot be had with another.
    var ownsServer: Bool { keepsServer || !book.kept.isEmpty }

    /// The server is gone, and with it all that it has not answered; see ``ServerLoss``.
    ///
    /// - Parameter isTakenBack: the client's stream begins again with what was sent to that server.
    mutating func letGo(_ server: inout ServerState, isTakenBack: Bool) {
        phase = .detached
        requests.serverLost(&server)
        hasFailed = false
        if isTakenBack { walker = FrameWalker() }
    }
}
