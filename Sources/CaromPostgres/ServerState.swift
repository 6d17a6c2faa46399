// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// What is known about one session with a server: what it owes, what its settings are, what was left in it.
///
/// A pure value. Every message to the server and from it is recorded here, by the connection's present holder, whether that is
/// the pooler's relay, the client API or the pool's own checks. It is noncopyable because a copy on the path of every
/// message would cost more than the path.
package struct ServerState: ~Copyable, Sendable {
    /// What can be done with the session now.
    package enum Readiness: Equatable, Sendable {
        /// It stands between two transactions and owes nothing: anybody may have it.
        case idle
        /// Likewise, but it must be reset before anybody but its last user has it.
        case dirty
        /// A transaction is open, or answers are owed, or bytes are unread.
        case busy
        /// It would be idle but for a ReadyForQuery that may or may not come; the answer to an empty query shows it.
        case indeterminate
        /// It cannot be used again.
        case unusable(Unusable)
    }

    /// Why a session cannot be used again.
    package enum Unusable: Equatable, Sendable {
        /// The connection failed or the server broke the protocol; see ``ServerState/failure``.
        case failed
        /// A client pipelined in a way that leaves open what the server still has to answer.
        case lost
        /// A client left in the middle of a message.
        case insideMessage
    }

    /// What the server still owes, and whether it is in a transaction.
    package private(set) var flow = QueryFlow()
    /// The session's settings, as the server has them now.
    package private(set) var parameters = SessionParameters.unknown
    /// The settings right after the login: what `DISCARD ALL` goes back to.
    package private(set) var initialParameters = SessionParameters.unknown
    /// Changes when the server reports a setting from which its role is known.
    package private(set) var roleVersion = 0
    /// Bytes that were read and not yet understood: an incomplete message. Empty while the session is idle.
    package var unread: [UInt8] = []
    /// Where the stream from the server stands.
    private var walker = FrameWalker()
    /// The stream to the server stands inside a message that is forwarded in pieces.
    private var isSendingMessage = false

    /// Replies that nobody asked for but the holder itself, and that its client must not see.
    package private(set) var suppressedReplies = 0
    /// The first error in one of them.
    private var suppressedError: SuppressedError?

    /// Who used the session last: a number that the front end gives its clients. 0 for nobody.
    package private(set) var lastUser: UInt64 = 0
    /// The last user changed something in the session that reported settings do not show.
    package private(set) var isTainted = false
    /// The session must be reset before anybody else uses it.
    package private(set) var needsReset = false
    /// Why the session cannot be used again, once that is known.
    package private(set) var failure: PostgresError?
    /// There is a ``failure``: asked for every transaction.
    private var hasFailed = false
    /// The server has told the client that the connection ends (FATAL or PANIC).
    package private(set) var hasSaidGoodbye = false

    /// An error in a reply that was suppressed.
    package struct SuppressedError: Sendable {
        /// What the server said.
        package let fields: ErrorFields
        /// How many replies, this one included, were still to come: it tells which request failed.
        package let repliesLeft: Int
    }

    package init() {}

    // MARK: Questions

    /// What can be done with the session now.
    package var readiness: Readiness {
        mutating get {
            if hasFailed { return .unusable(.failed) }
            if flow.isFree, isAtRest { return needsReset ? .dirty : .idle }
            if flow.isLost { return .unusable(.lost) }
            if isSendingMessage { return .unusable(.insideMessage) }
            return flow.needsProbe && flow.transactionStatus == .idle ? .indeterminate : .busy
        }
    }

    /// Nothing is half read, half written or suppressed.
    private var isAtRest: Bool {
        unread.isEmpty && walker.isAtBorder && !isSendingMessage && suppressedReplies == 0
    }

    /// The client that is served may not be left here: it has been sent a part of a message.
    package var isInsideReply: Bool { !walker.isAtBorder }

    /// Answers that the client waits for, each of which ends with ReadyForQuery.
    package var owedReplies: Int { flow.outstandingReady - suppressedReplies }

    /// Moves what was not understood yet to the beginning of `buffer`; the next bytes belong behind it.
    ///
    /// - Returns: how much it was.
    package mutating func takeUnread(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = unread.count
        if count == 0 { return 0 }
        precondition(count <= buffer.count, "kept bytes fit into the buffer that they came from")
        unread.withUnsafeBytes { buffer.copyMemory(from: $0) }
        unread = []
        return count
    }

    /// Keeps the beginning of a message until more of it has come.
    package mutating func keepUnread(_ bytes: UnsafeRawBufferPointer) { unread = Array(bytes) }

    // MARK: To the server

    /// Records a message that goes to the server; on an error it must not be sent.
    package mutating func send(_ tag: UInt8) throws(FlowError) { try flow.sent(tag) }

    /// Records a message that goes to the server; on an error it must not be sent.
    package mutating func send(_ tag: FrontendTag) throws(FlowError) { try flow.sent(tag) }

    /// Records whether the stream to the server stands inside a message.
    package mutating func setSendingMessage(_ isSending: Bool) { isSendingMessage = isSending }

    /// Records a query of the holder's own, whose reply is suppressed.
    package mutating func sendSuppressed() throws(FlowError) {
        try flow.sent(.query)
        suppressedReplies += 1
    }

    /// Takes the first error of the replies that were suppressed.
    package mutating func takeSuppressedError() -> SuppressedError? {
        if suppressedError == nil { return nil }
        defer { suppressedError = nil }
        return suppressedError
    }

    // MARK: Changes of hands

    /// The session is over to this user.
    package mutating func adopt(by user: UInt64) { lastUser = user }

    /// A statement that brings these settings to the server is on its way.
    package mutating func expect(_ wanted: SessionParameters) {
        parameters = wanted.synchronized(with: parameters)
    }

    /// `DISCARD ALL` is on its way or has been answered: settings are what they were after the login, and nothing of any
    /// user is left.
    package mutating func didReset() {
        parameters = initialParameters
        isTainted = false
        needsReset = false
        lastUser = 0
    }

    /// Nobody but the last user may have the session before it was reset.
    package mutating func requireReset() { needsReset = true }

    /// The session cannot be used again.
    package mutating func fail(_ error: PostgresError) {
        if !hasFailed { failure = error }
        hasFailed = true
    }

    /// A login is over: this is what the server has said about itself.
    package mutating func didLogIn(_ status: TransactionStatus) {
        flow = QueryFlow(transactionStatus: status)
        initialParameters = parameters
    }

    /// A parameter as the server reports it.
    package mutating func report(_ status: ParameterStatus) {
        if status.name == Self.roleParameter, parameters[status.name] != status.value { roleVersion += 1 }
        parameters.set(status.name, to: status.value)
    }

    /// `on` at a standby, `off` at a primary; reported from PostgreSQL 14 on.
    package static let roleParameter = "in_hot_standby"
}

// MARK: From the server

extension ServerState {
    /// What a chunk from the server came to. Offsets are into the chunk.
    package struct Received: Equatable, Sendable {
        /// What is for the client; in front of it are replies that are suppressed.
        package var visible: Range<Int>
        /// The bytes from here on are the beginning of a message: they are kept in front of the next chunk.
        package var consumed: Int
        /// Whole messages follow behind `consumed`, which are not the client's: they are to be received next.
        package var hasMore = false
        /// How often the server has said, visibly, that it is ready.
        package var completed = 0
        /// How many of those ended a transaction (or a statement outside one).
        package var transactions = 0
        /// A reported setting changed.
        package var parametersChanged = false
        /// What comes behind `consumed` is no PostgreSQL server's: `failure` says why, and the connection is of no further use.
        package var isBroken = false
    }

    /// Records everything in a chunk of the server's stream.
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
                case .run(let tag, let range, _), .beginning(let tag, let range, _):
                    try record(tag)
                    if suppressedReplies > 0 { visibleFrom = range.upperBound }
                case .message(let tag, let range):
                    let isSuppressed = suppressedReplies > 0 && isOfSuppressedReply(tag)
                    if isSuppressed {
                        if range.lowerBound > visibleFrom {
                            // What is the client's goes out first.
                            result.hasMore = true
                            position = range.lowerBound
                            break walk
                        }
                        visibleFrom = range.upperBound
                    }
                    if tag == BackendTag.readyForQuery.rawValue {
                        try recordReady(chunk, range)
                        if isSuppressed {
                            suppressedReplies -= 1
                        } else {
                            result.completed += 1
                            if flow.transactionStatus == .idle { result.transactions += 1 }
                        }
                    } else {
                        try record(tag)
                        if Self.telling.contains(tag) { try read(tag, chunk, range, &result) }
                    }
                case .continuation(_, let range, _):
                    if suppressedReplies > 0 { visibleFrom = range.upperBound }
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

    /// A ReadyForQuery that ends no request is the client's, though the reply to a question of our own is awaited behind it.
    private func isOfSuppressedReply(_ tag: UInt8) -> Bool {
        tag != BackendTag.readyForQuery.rawValue || flow.readyEndsRequest
    }

    /// Records one whole message, for readers that keep what it says.
    ///
    /// - Throws: ``PostgresError`` with the code `protocolViolation`.
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

    @inline(__always)
    private mutating func recordReady(_ chunk: RawSpan, _ range: Range<Int>) throws(PostgresError) {
        try recordReady(chunk.extracting((range.lowerBound + Framing.headerSize)..<range.upperBound))
    }

    private mutating func recordReady(_ body: RawSpan) throws(PostgresError) {
        let status: TransactionStatus
        do throws(WireError) { status = try ReadyForQuery(body: body).status } catch {
            throw Self.broken(error)
        }
        do throws(FlowError) { try flow.receivedReady(status) } catch { throw Self.broken(error) }
    }

    private mutating func read(
        _ tag: UInt8, _ chunk: RawSpan, _ range: Range<Int>, _ result: inout Received
    ) throws(PostgresError) {
        try read(tag, chunk.extracting((range.lowerBound + Framing.headerSize)..<range.upperBound), &result)
    }

    private mutating func read(_ tag: UInt8, _ body: RawSpan, _ result: inout Received) throws(PostgresError)
    {
        switch tag {
        case BackendTag.commandComplete.rawValue:
            if suppressedReplies == 0, SessionEffect.isLasting(commandTag: body) { isTainted = true }
        case BackendTag.parameterStatus.rawValue:
            do throws(WireError) { report(try ParameterStatus(body: body)) } catch {
                throw Self.broken(error)
            }
            result.parametersChanged = true
        case BackendTag.errorResponse.rawValue:
            let fields = ErrorFields(body: body)
            if suppressedReplies == 0 {
                hasSaidGoodbye = hasSaidGoodbye || fields.isFatal
            } else if suppressedError == nil {
                suppressedError = SuppressedError(fields: fields, repliesLeft: suppressedReplies)
            }
        default: break
        }
    }

    @inline(never)
    private static func broken(_ error: any Error) -> PostgresError {
        PostgresError(.protocolViolation, "the server broke the protocol: \(error)")
    }
}
