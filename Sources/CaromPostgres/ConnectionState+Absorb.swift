// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

extension ConnectionState {
    /// What a chunk from the server came to. Offsets are into the chunk.
    package struct Absorbed: Equatable {
        /// What is for the client; in front of it are replies to what the client did not ask.
        package var visible: Range<Int>
        /// The bytes from here on are the beginning of a message: keep them in front of the next chunk.
        package var consumed: Int
        /// The server has said that it is ready, at least once and visibly.
        package var completed = 0
        /// How many of those ended a transaction (or a statement outside one).
        package var transactions = 0
        /// A reported parameter changed.
        package var parametersChanged = false
        /// An error passed by.
        package var sawError = false
        /// What comes behind `consumed` is no PostgreSQL server's: `failure` says why, and the connection is of no further use.
        package var isBroken = false
    }

    /// Takes note of everything in a chunk of the server's stream: what it answers, what it reports.
    ///
    /// What no server says at this point ends it: everything before that is still good, and `failure` holds the reason.
    package mutating func absorb(_ chunk: RawSpan, rules: borrowing FrameRules) -> Absorbed {
        var position = 0
        var accepted = 0
        var result = Absorbed(visible: 0..<0, consumed: 0)
        var visibleFrom = 0
        do {
            walk: while true {
                accepted = position
                switch walker.next(in: chunk, at: &position, rules: rules) {
                case .run(let tag, _, _):
                    try flow.received(BackendTag(rawValue: tag).unsafelyUnwrapped)
                case .message(let tag, let range):
                    if tag == BackendTag.readyForQuery.rawValue {
                        try ready(chunk, range, &result)
                        if hiddenReplies > 0 {
                            hiddenReplies -= 1
                            visibleFrom = range.upperBound
                        } else {
                            result.completed += 1
                            if flow.transactionStatus == .idle { result.transactions += 1 }
                        }
                    } else {
                        try note(tag, chunk.extracting(range.dropFirst(Framing.headerSize)), &result)
                    }
                case .beginning(let tag, _, _):
                    try note(tag, chunk.extracting(0..<0), &result)
                case .continuation: break
                case .incomplete, .end: break walk
                case .invalid(let error):
                    throw PostgresError(.protocolViolation, "the server broke the protocol: \(error)")
                }
            }
        } catch {
            failure =
                error as? PostgresError
                ?? PostgresError(.protocolViolation, "the server broke the protocol: \(error)")
            result.isBroken = true
            position = accepted
        }
        result.consumed = position
        // Until the last hidden reply is over, nothing in the chunk is the client's.
        result.visible = hiddenReplies > 0 ? position..<position : visibleFrom..<position
        return result
    }

    /// Takes note of one whole message, for readers that keep what it says.
    ///
    /// - Throws: ``PostgresError`` with the code `protocolViolation`.
    mutating func accept(_ tag: UInt8, _ body: RawSpan) throws(PostgresError) -> BackendTag {
        do {
            guard let known = BackendTag(rawValue: tag) else { throw FlowError.unknownServerMessage(tag) }
            if known == .readyForQuery {
                try flow.receivedReady(try ReadyForQuery(body: body).status)
            } else {
                var seen = Absorbed(visible: 0..<0, consumed: 0)
                try note(tag, body, &seen)
            }
            return known
        } catch {
            throw PostgresError(.protocolViolation, "the server broke the protocol: \(error)")
        }
    }

    private mutating func ready(_ chunk: RawSpan, _ range: Range<Int>, _ result: inout Absorbed) throws {
        let body = chunk.extracting(range.dropFirst(Framing.headerSize))
        try flow.receivedReady(try ReadyForQuery(body: body).status)
    }

    private mutating func note(_ tag: UInt8, _ body: RawSpan, _ result: inout Absorbed) throws {
        guard let tag = BackendTag(rawValue: tag) else { throw FlowError.unknownServerMessage(tag) }
        try flow.received(tag)
        switch tag {
        case .commandComplete:
            if hiddenReplies == 0, SessionEffect.isLasting(commandTag: body) { isTainted = true }
        case .parameterStatus:
            let status = try ParameterStatus(body: body)
            parameters.set(status.name, to: status.value)
            result.parametersChanged = true
        case .errorResponse:
            result.sawError = true
            if hiddenReplies > 0 { hiddenError = ErrorFields(body: body) }
        case .authentication, .backendKeyData, .bindComplete, .closeComplete, .copyData, .copyDone,
            .copyInResponse, .copyOutResponse, .copyBothResponse, .dataRow, .emptyQueryResponse,
            .functionCallResponse, .negotiateProtocolVersion, .noData, .noticeResponse,
            .notificationResponse, .parameterDescription, .parseComplete, .portalSuspended, .readyForQuery,
            .rowDescription:
            break
        }
    }
}
