// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

@testable import CaromPostgres

/// The statements of one session together with its flow, as the relay uses them.
struct StatementSession {
    var statements = ServerStatements()
    var flow = QueryFlow()
    private var clock: UInt64 = 0

    mutating func now() -> UInt64 {
        clock += 1
        return clock
    }

    @discardableResult
    mutating func parse(_ statement: UInt64, limit: Int = 100, isOwn: Bool = true) throws
        -> ServerStatements.Preparation
    {
        let time = now()
        let preparation = statements.prepare(statement, parsedAt: time, isOwnParse: isOwn, limit: limit, flow)
        for evicted in preparation.evicted { try close(evicted) }
        if preparation.closesFirst { try close(statement) }
        try flow.sent(.parse)
        statements.didParse(statement, at: time, flow)
        return preparation
    }

    mutating func close(_ statement: UInt64) throws {
        flow.sentHidden()
        statements.didClose(statement, flow)
    }

    /// What a use needs of a statement that its client parsed at this time.
    mutating func use(_ statement: UInt64, parsedAt: UInt64 = 1, limit: Int = 100)
        -> ServerStatements.Preparation
    {
        statements.prepare(statement, parsedAt: parsedAt, isOwnParse: false, limit: limit, flow)
    }

    mutating func sync() throws { try flow.sent(.sync) }

    mutating func succeed(_ count: Int) throws { for _ in 0..<count { try flow.received(.parseComplete) } }

    mutating func ready() throws { try flow.receivedReady(.idle) }

    mutating func fail() throws {
        let done = flow.extendedDone
        try flow.received(.errorResponse)
        if flow.extendedDone > done { statements.failed((done + 1)...flow.extendedDone) }
    }
}
