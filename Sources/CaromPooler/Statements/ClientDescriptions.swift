// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import DequeModule

/// What a client waits to be told of its prepared statements, and what the pooler waits to know of them at the server of the moment.
///
/// A client reads rows and writes parameters by what Describe told it (PostgreSQL protocol, "Extended Query"). Directly that holds as
/// long as the statement does: when its tables change, the server refuses it (0A000). A copy that is parsed on another server would be
/// one of today's tables, so it is looked at before the client runs it.
struct ClientDescriptions {
    /// What the client was told of a statement.
    struct Told {
        /// Nil if the client has said all of them itself, or was not told.
        var types: ParameterTypes?
        /// The digest of the shape of the rows; 0 if it was not told, or need not last.
        var rows: UInt64 = 0

        /// The same and what an answer tells.
        ///
        /// - Parameters:
        ///   - content: of the statement's Parse.
        ///   - share: keeps the types.
        func and(
            _ answer: ServerDescriptions.Answer, ofContent content: [UInt8],
            _ share: ([UInt8]) -> ParameterTypes
        ) -> Told {
            var told = self
            let text = content.prefix { $0 != 0 }
            told.rows = PlannedStatement.begins(text.span.bytes) ? answer.rows : 0
            if !answer.types.isEmpty {
                told.types = ParameterTypes.areSaid(answer.types, in: content) ? nil : share(answer.types)
            }
            return told
        }
    }

    /// A Describe that is not answered yet.
    struct Awaited {
        let message: UInt64
        /// The client's name of the statement; empty for the unnamed one.
        let name: [UInt8]
        /// What the name meant then: the number of the statement, or the version of the unnamed one.
        let meaning: UInt64
        let parsedAt: UInt64
        /// It is the pooler's own: the client is not told.
        let isHidden: Bool
    }

    /// What is to be done before a statement is run.
    enum Verdict {
        /// Nothing: the rows are what the client was told, or it is told anew, or never was.
        case mayRun
        /// The server is asked.
        case ask
        /// The statement is parsed anew, and then the server is asked.
        case parseAndAsk
        /// The client is told that the statement has no such rows any more.
        case refuse
    }

    private var awaited = Deque<Awaited>()
    /// The client's next Bind waits for the answer to a question about its statement.
    private var hasAsked = false

    /// Whether a statement may be bound.
    ///
    /// - Parameters:
    ///   - told: the rows that the client was told of.
    ///   - known: those that the server's copy is known to have; 0 if nobody has looked.
    mutating func judge(told: UInt64, known: UInt64) -> Verdict {
        defer { hasAsked = false }
        if told == 0 || told == known { return .mayRun }
        if hasAsked { return .refuse }
        // A copy that differs may be older than what the client was told.
        return known == 0 ? .ask : .parseAndAsk
    }

    /// The server is asked, with the message that was sent last: the Bind waits.
    mutating func ask(_ name: RawSpan, _ meaning: UInt64, parsedAt: UInt64, _ server: inout ServerState) {
        hasAsked = true
        expect(name, meaning, parsedAt: parsedAt, isHidden: true, message: server.flow.extendedSent, &server)
    }

    /// The client is told of a statement by the answer to a Describe of this number.
    mutating func expect(
        _ name: RawSpan, _ meaning: UInt64, parsedAt: UInt64, isHidden: Bool = false, message: UInt64,
        _ server: inout ServerState
    ) {
        awaited.append(
            Awaited(
                message: message, name: name.array(), meaning: meaning, parsedAt: parsedAt,
                isHidden: isHidden))
        server.statements.descriptions.want(message)
    }

    /// What an answer is about; nil if nobody waits for it any more.
    mutating func take(_ message: UInt64) -> Awaited? {
        while let first = awaited.first, first.message < message { awaited.removeFirst() }
        guard awaited.first?.message == message else { return nil }
        return awaited.removeFirst()
    }

    /// The messages up to this number are over.
    mutating func failed(through number: UInt64) {
        hasAsked = false
        while let first = awaited.first, first.message <= number { awaited.removeFirst() }
    }

    /// Nothing is under way.
    @inline(__always)
    mutating func settle() {
        hasAsked = false
        if !awaited.isEmpty { awaited = [] }
    }

    /// The words of PostgreSQL's `RevalidateCachedQuery`, which drivers know.
    static var staleRows: ErrorFields {
        ErrorFields(
            severity: .error, code: .featureNotSupported,
            message: "cached plan must not change result type", routine: "RevalidateCachedQuery")
    }
}
