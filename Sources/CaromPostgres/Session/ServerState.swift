// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// What is known about one session with a server: what it owes, what its settings are, what was left in it.
///
/// A pure value. Every message to and from the server is recorded here by the connection's present holder: the relay, the client API
/// or the pool's own checks. It is noncopyable because a copy on the path of every message would cost more than the path.
package struct ServerState: ~Copyable, Sendable {
    /// What the server still owes, and whether it is in a transaction.
    package private(set) var flow = QueryFlow()
    /// What the server has reported of the session's settings, last.
    package private(set) var reported = SettingValues()
    /// The same right after the login.
    package private(set) var initial = SettingValues()
    /// Settings that were set in the session, the pooler's doing or a client's; all others have the server's defaults.
    package private(set) var applied = SettingValues()
    /// The prepared statements that the session has.
    package var statements = ServerStatements()
    /// What the server is to clients.
    package private(set) var role = ServerRole()
    /// Bytes that were read and not yet understood: an incomplete message. Empty while the session is idle.
    package var unread: [UInt8] = []
    /// What was sent and not answered, as long as it could go to another server; for the relay.
    package var retained: [UInt8] = []
    /// What was heard on channels and not read yet; for users of the client API.
    var notifications: [PostgresNotification] = []
    /// Where the stream from the server stands.
    private var walker = FrameWalker()
    /// The message that it stands in is kept from the client.
    private var hidesPieces = false
    /// The stream to the server stands inside a message that is forwarded in pieces.
    private var isSendingMessage = false

    /// Replies that nobody asked for but the holder itself, and that its client must not see.
    private var own = OwnReplies()
    /// Whether the next ReadyForQuery of the client's is passed on.
    package var withholding = Withholding()

    /// Who used the session last: a number that the front end gives its clients. 0 for nobody.
    package private(set) var lastUser: UInt64 = 0
    /// Which of the last user's settings the session has, by a number that the user gives them.
    package var settingsMark = ServerState.noMark
    /// What the last user may have left in the session, beside settings.
    package private(set) var taint = Taint.none
    /// Somebody may have left a sequence's current value.
    package var hasForeignSequences = false
    /// A command tag has told that the session changed; for users of the client API.
    package private(set) var hasLastingEffect = false
    package var clock = ServiceClock()
    /// What must be taken out of the session before anybody else uses it.
    package private(set) var neededReset = Taint.none
    /// Why the session cannot be used again, once that is known.
    package private(set) var failure: PostgresError?
    /// There is a ``failure``: asked for every transaction.
    private var hasFailed = false
    /// The server has told the client that the connection ends (FATAL or PANIC).
    package var hasSaidGoodbye: Bool { failure?.code == .server }

    package init() {}

    // MARK: Questions

    /// What can be done with the session now.
    package var readiness: Readiness {
        mutating get {
            if hasFailed { return .unusable(.failed) }
            if flow.isFree, isAtRest { return neededReset == .none ? .idle : .dirty }
            if flow.isLost { return .unusable(.lost) }
            if isSendingMessage { return .unusable(.insideMessage) }
            return flow.needsProbe && flow.transactionStatus == .idle ? .indeterminate : .busy
        }
    }

    /// Replies to the holder's own queries that are still to end.
    package var suppressedReplies: Int { own.count }

    /// Nothing is half read, half written or suppressed.
    private var isAtRest: Bool { unread.isEmpty && walker.isAtBorder && !isSendingMessage && own.count == 0 }

    /// The client that is served may not be left here: it has been sent a part of a message.
    package var isInsideReply: Bool { !walker.isAtBorder }

    // MARK: To the server

    /// Records a message that goes to the server; on an error it must not be sent.
    package mutating func send(_ tag: UInt8) throws(FlowError) { try flow.sent(tag) }
    package mutating func send(_ tag: FrontendTag) throws(FlowError) { try flow.sent(tag) }

    /// Records whether the stream to the server stands inside a message.
    package mutating func setSendingMessage(_ isSending: Bool) { isSendingMessage = isSending }

    /// Records a query of the holder's own, whose reply is suppressed.
    ///
    /// - Parameter messages: how many it is in extended ones, with a Sync behind them; nil for a simple query.
    package mutating func sendSuppressed(extended messages: Int? = nil) throws(FlowError) {
        for _ in 0..<(messages ?? 0) { flow.sentHidden() }
        try flow.sent(messages == nil ? .query : .sync)
        own.expect()
        // A simple query ends the unnamed statement.
        if messages == nil { statements.endUnnamed() }
    }

    /// Records a message of the holder's own in front of an extended message of its client's.
    package mutating func sendHidden() { flow.sentHidden() }

    /// The query that was sent last is a ``SessionInquiry`` or a ``ChannelInquiry``.
    package mutating func expectInquiry() { own.expectInquiry() }

    /// What the server has answered to the inquiry, which is over; nil if that cannot be understood.
    package mutating func takeAnswer() -> SessionInquiry.Answer? {
        own.takeInquiry().flatMap { SessionInquiry.answer($0, user: initial[Self.userParameter]) }
    }

    /// The same of a ``ChannelInquiry``.
    package mutating func takeChannels() -> [UInt8]? { own.takeInquiry() }

    /// Takes the first error of the replies that were suppressed.
    package mutating func takeSuppressedError() -> SuppressedError? { own.takeError() }

    // MARK: Changes of hands

    /// The session is over to this user.
    package mutating func adopt(by user: UInt64, mark: Int = ServerState.noMark) {
        lastUser = user
        own.adopt()
        settingsMark = mark
        // The user before may have left while its query was answered.
        statements.rewriting = nil
        withholding.end()
    }

    /// Statements that bring the session to these settings are on their way, or the server has told that it has these.
    package mutating func apply(_ settings: SettingValues) { applied = settings }

    /// The present user may leave this behind.
    package mutating func taint(_ left: Taint) { taint = max(taint, left) }

    /// It is known that nothing is left but settings.
    package mutating func clearTaint() { (taint, hasLastingEffect) = (.none, false) }

    /// A reset that leaves prepared statements alone is on its way.
    package mutating func didResetState() {
        applied = SettingValues()
        clearTaint()
        neededReset = .none
        hasForeignSequences = false
        lastUser = 0
    }

    /// `DISCARD ALL` is on its way or has been answered: settings are what they were after the login, and nothing of any
    /// user is left.
    package mutating func didReset() {
        didResetState()
        statements.removeAll()
        statements.endUnnamed()
    }

    /// Nobody but the last user may have the session before it was reset.
    package mutating func requireReset(of left: Taint = .everything) { neededReset = max(neededReset, left) }

    /// The session cannot be used again. The server's own word says more than what came of it.
    package mutating func fail(_ error: PostgresError) {
        if !hasFailed || error.code == .server { failure = error }
        hasFailed = true
    }

    /// A login is over: this is what the server has said about itself.
    package mutating func didLogIn(_ status: TransactionStatus) {
        flow = QueryFlow(transactionStatus: status)
        initial = reported
        role.believe(reported)
    }

    /// What the server has reported last was not asked for by anybody in this session.
    package mutating func believeReports() { role.believe(reported, butFor: applied) }

    /// A parameter as the server reports it.
    package mutating func report(_ status: ParameterStatus) {
        role.heard(status, was: reported[status.name])
        reported.set(status.name, to: status.value)
    }
}

// MARK: From the server

extension ServerState {
    /// Records what is in a chunk of the server's stream, up to where something is to be done before the rest.
    ///
    /// What no server says at this point ends it: everything before that is still good, and `failure` holds the reason.
    package mutating func receive(_ chunk: RawSpan, limits: borrowing FrameLimits) -> Received {
        var position = 0
        var accepted = 0
        var result = Received(visible: 0..<0, consumed: 0)
        var visibleFrom = 0
        do throws(PostgresError) {
            walk: while true {
                accepted = position
                switch walker.next(in: chunk, at: &position, limits: limits) {
                case .run(let tag, let range, _):
                    try record(tag)
                    if suppressedReplies > 0 { hide(tag, chunk, range, &visibleFrom) }
                case .beginning(let tag, let range, _):
                    hidesPieces = suppressedReplies > 0 || isHidden(tag)
                    if hidesPieces, range.lowerBound > visibleFrom {
                        // What is the client's goes out first, and this is walked again.
                        walker = FrameWalker()
                        result.hasMore = true
                        position = range.lowerBound
                        break walk
                    }
                    statements.descriptions.heardPart(of: tag, chunk.body(ofMessage: range), flow)
                    try record(tag)
                    if hidesPieces { hide(tag, chunk, range, &visibleFrom) }
                case .message(let tag, let range):
                    let isSuppressed = suppressedReplies > 0 && own.include(tag, flow)
                    if isSuppressed || isHidden(tag) {
                        if range.lowerBound > visibleFrom {
                            // What is the client's goes out first.
                            result.hasMore = true
                            position = range.lowerBound
                            break walk
                        }
                        hide(tag, chunk, range, &visibleFrom)
                    }
                    switch tag {
                    case BackendTag.readyForQuery.rawValue:
                        try recordReady(chunk.body(ofMessage: range))
                        if isSuppressed {
                            own.end()
                        } else if countReady(&result) {
                            return result.cut(visibleFrom, range, of: chunk)
                        }
                    case BackendTag.errorResponse.rawValue:
                        if !isSuppressed, flow.isFree, result.isUnasked(chunk.body(ofMessage: range)) {
                            return result.cut(visibleFrom, range, of: chunk)
                        }
                        try recordError(chunk, range, isSuppressed: isSuppressed, &result)
                        if result.misnamed != nil { return result.cut(visibleFrom, range, of: chunk) }
                        if result.failed != nil {
                            result.hasMore = position < chunk.byteCount
                            break walk
                        }
                    default:
                        if statements.descriptions.isWanted,
                            statements.descriptions.heard(tag, chunk.body(ofMessage: range), flow)
                        {
                            result.isOrdinary = false
                        }
                        try record(tag)
                        if Self.telling.contains(tag) { try read(tag, chunk.body(ofMessage: range), &result) }
                    }
                case .continuation(let tag, let range, let isLast):
                    if hidesPieces { hide(tag, chunk, range, &visibleFrom) }
                    if statements.descriptions.heardMore(tag, chunk.extracting(range), isLast: isLast) {
                        result.isOrdinary = false
                    }
                case .incomplete, .end: break walk
                case .invalid(let error): throw Self.broken(error)
                }
            }
        } catch {
            fail(error)
            result.isBroken = true
            position = accepted
        }
        result.consumed = position
        result.visible = visibleFrom..<max(visibleFrom, position)
        return result
    }

    /// Keeps a part of a reply of our own from the client, and notes it where it is wanted.
    private mutating func hide(_ tag: UInt8, _ chunk: RawSpan, _ range: Range<Int>, _ visibleFrom: inout Int)
    {
        visibleFrom = range.upperBound
        own.read(tag, chunk.extracting(range))
    }

    /// The reply to a message of our own in the middle of the client's.
    @inline(__always)
    private func isHidden(_ tag: UInt8) -> Bool { flow.answersHidden && Self.hideable.contains(tag) }

    /// What may answer an extended message of our own, with warnings about its text, which the client was told when it sent it. Errors are
    /// the client's, and what a server says by itself.
    private static let hideable = TagSet(
        [
            .parseComplete, .bindComplete, .commandComplete, .closeComplete, .parameterDescription,
            .rowDescription, .noData, .noticeResponse,
        ] as [BackendTag])

    /// The server has told the client that it is ready.
    ///
    /// - Returns: whether that is kept from the client.
    @inline(__always)
    private mutating func countReady(_ result: inout Received) -> Bool {
        result.completed += 1
        if flow.transactionStatus == .idle { result.transactions += 1 }
        let isWithheld = withholding.takes(flow)
        result.hasError = result.hasError && isWithheld
        if !isWithheld { return false }
        result.withheld = flow.transactionStatus
        result.isOrdinary = false
        return true
    }

    @inline(never)
    private mutating func recordError(
        _ chunk: RawSpan, _ range: Range<Int>, isSuppressed: Bool, _ result: inout Received
    ) throws(PostgresError) {
        let done = flow.extendedDone
        try record(BackendTag.errorResponse.rawValue)
        try read(BackendTag.errorResponse.rawValue, chunk.body(ofMessage: range), &result)
        if isSuppressed { return }
        result.hasError = true
        result.isOrdinary = false
        guard flow.extendedDone > done else { return }
        let failed = (done + 1)...flow.extendedDone
        result.failed = failed
        statements.failed(failed)
    }

    /// Records one whole message, for readers that keep what it says; throws a `protocolViolation`.
    mutating func receive(_ tag: UInt8, _ body: RawSpan) throws(PostgresError) -> BackendTag {
        guard let known = BackendTag(rawValue: tag) else {
            throw Self.broken(FlowError.unknownServerMessage(tag))
        }
        if known == .readyForQuery {
            try recordReady(body)
        } else {
            var seen = Received(visible: 0..<0, consumed: 0)
            try record(tag)
            if Self.telling.contains(tag) { try read(tag, body, &seen) }
        }
        return known
    }

    /// Messages whose content matters here; of all others the type is enough.
    private static let telling = TagSet([.commandComplete, .parameterStatus, .errorResponse] as [BackendTag])

    @inline(__always)
    private mutating func record(_ tag: UInt8) throws(PostgresError) {
        do throws(FlowError) {
            guard let known = BackendTag(rawValue: tag) else { throw .unknownServerMessage(tag) }
            try flow.received(known)
        } catch {
            throw Self.broken(error)
        }
    }

    private mutating func recordReady(_ body: RawSpan) throws(PostgresError) {
        let status: TransactionStatus
        do throws(WireError) { status = try ReadyForQuery(body: body).status } catch {
            throw Self.broken(error)
        }
        do throws(FlowError) { try flow.receivedReady(status) } catch { throw Self.broken(error) }
    }

    private mutating func read(_ tag: UInt8, _ body: RawSpan, _ result: inout Received) throws(PostgresError)
    {
        switch tag {
        case BackendTag.commandComplete.rawValue:
            if suppressedReplies > 0 { return }
            statements.rewriting?.completed(body)
            if SessionEffect.isLasting(commandTag: body) { hasLastingEffect = true }
            if SessionEffect.endsStatements(commandTag: body) { endStatements(&result) }
        case BackendTag.parameterStatus.rawValue:
            do throws(WireError) { report(try ParameterStatus(body: body)) } catch {
                throw Self.broken(error)
            }
            result.parametersChanged = true
            result.isOrdinary = false
        case BackendTag.errorResponse.rawValue:
            let fields = ErrorFields(body: body)
            if suppressedReplies == 0 {
                if fields.isFatal { fail(PostgresError(fields)) }
                result.misnamed = statements.rewriting?.corrected(fields)
                if statements.rewriting?.failed(fields) == true { endStatements(&result) }
                if result.misnamed == nil, fields.mayNameStatement { result.misnamed = fields }
                if fields.isAboutStalePlan { result.hasStalePlan = true }
                if fields.isAboutUnreadText { result.hasUnreadText = true }
                if fields.code == .readOnlyTransaction { result.refusesWrites = true }
            } else {
                own.failed(fields)
            }
        default: break
        }
    }

    private mutating func endStatements(_ result: inout Received) {
        statements.removeAll(through: flow.extendedDone)
        result.deallocatedThrough = flow.extendedDone
        result.isOrdinary = false
    }

    @inline(never)
    private static func broken(_ error: any Error) -> PostgresError {
        PostgresError(.protocolViolation, "the server broke the protocol: \(error)")
    }
}
