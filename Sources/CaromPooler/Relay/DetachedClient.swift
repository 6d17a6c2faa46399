// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Deals with what a client says between its transactions, while it holds no server.
enum DetachedClient {
    enum Step: Equatable {
        /// The rest of the chunk is the beginning of a message: it is kept until more has come.
        case needMore
        /// A lone Sync, which the relay answers with ReadyForQuery; then it asks on.
        case answerReady
        /// At the position begins a message that needs a server.
        case needServer
    }

    /// What is dropped of what the client sends, because its wait for a server was cancelled.
    enum Skipping: Equatable {
        case nothing
        /// The next message.
        case one
        /// Everything up to the next Sync, which is answered.
        case toSync
    }

    /// Deals, as PostgreSQL would between transactions, with what needs no server, from `position` on, which moves along.
    ///
    /// A part of a message is no reason to take a server unless the whole is longer than `heldLimit`: a client that sends
    /// slowly, or never the rest, keeps no other client waiting.
    ///
    /// - Throws: how the session ends, for Terminate and for what is not allowed.
    static func next(
        in chunk: RawSpan, from position: inout Int, _ walker: inout FrameWalker, _ skipping: inout Skipping,
        limits: borrowing FrameLimits, heldLimit: Int
    ) throws(SessionEnd) -> Step {
        while true {
            // Most often work begins here: its type tells, and the message is walked once, by the step with a server.
            if walker.isAtBorder, position < chunk.byteCount, skipping == .nothing {
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
                    if skips(&skipping) { break }
                    (walker, position) = before
                    return .needServer
                case .answersReady:
                    skipping = .nothing
                    return .answerReady
                case .ignored, .terminates, .violation: break
                }
            case .beginning(let tag, _, let length):
                guard case .startsWork = try meaning(of: tag), !skips(&skipping) else { break }
                (walker, position) = before
                return length > heldLimit ? .needServer : .needMore
            case .continuation: break
            case .incomplete, .end: return .needMore
            case .invalid(let error): throw .fatal(error.sqlState, "\(error)")
            }
        }
    }

    /// The client has cancelled what it waits for a server for.
    ///
    /// - Parameter first: the type of the message that the client waits with.
    /// - Returns: what the client is told; for extended messages ReadyForQuery comes with their Sync.
    static func cancel(_ first: UInt8, _ skipping: inout Skipping) -> [UInt8] {
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

    private static func skips(_ skipping: inout Skipping) -> Bool {
        defer { if skipping == .one { skipping = .nothing } }
        return skipping != .nothing
    }

    private static func meaning(of byte: UInt8) throws(SessionEnd) -> FrontendTag.IdleMeaning {
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
