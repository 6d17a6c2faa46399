// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

@Suite struct ServerStatementsTests {
    private static func preparation(
        evicting evicted: UInt64..., closesFirst: Bool = false, parses: Bool = true
    )
        -> ServerStatements.Preparation
    {
        var preparation = ServerStatements.Preparation()
        preparation.evicted = evicted
        preparation.closesFirst = closesFirst
        preparation.parses = parses
        return preparation
    }

    // MARK: Shared statements

    @Test func aStatementThatTheSessionLacksIsParsedOnce() throws {
        var session = StatementSession()
        #expect(session.use(5) == Self.preparation())
        try session.parse(5)
        #expect(session.statements.holds(5) && session.statements.count == 1)
        #expect(session.use(5) == Self.preparation(parses: false))
    }

    @Test func aCopyThatIsOlderThanItShouldBeIsClosedAndParsedAnew() throws {
        var session = StatementSession()
        try session.parse(5)
        #expect(session.use(5, parsedAt: 1) == Self.preparation(parses: false))
        #expect(session.use(5, parsedAt: 2) == Self.preparation(closesFirst: true))
    }

    @Test func aClientsOwnParseAlwaysGoesToTheServer() throws {
        var session = StatementSession()
        #expect(try session.parse(5) == Self.preparation())
        #expect(try session.parse(5) == Self.preparation(closesFirst: true))
        #expect(session.statements.count == 1)
    }

    @Test func whatIsClosedIsNotHeld() throws {
        var session = StatementSession()
        try session.parse(5)
        try session.close(5)
        #expect(!session.statements.holds(5) && session.statements.count == 0)
        #expect(session.use(5) == Self.preparation())
    }

    @Test func whatSQLHasEndedIsInDoubt() throws {
        var session = StatementSession()
        for statement: UInt64 in 1...3 { try session.parse(statement) }
        session.statements.doubt(2)
        #expect([1, 2, 3].map { session.statements.surelyHolds($0) } == [true, false, true])
        session.statements.removeAll()
        #expect(session.statements.count == 0)
    }

    @Test func whatIsToBeNewIsParsedInTheBatchThatIsOpen() throws {
        var session = StatementSession()
        try session.parse(5)
        session.statements.renew(5, session.flow)
        #expect(session.use(5) == ServerStatements.Preparation())
        try session.sync()
        session.statements.renew(5, session.flow)
        #expect(session.use(5) == Self.preparation(closesFirst: true))
        session.statements.renew(6, session.flow)
        #expect(!session.statements.holds(6))
    }

    @Test func atTheLimitTheStatementThatWasUsedLeastRecentlyGoes() throws {
        var session = StatementSession()
        for statement: UInt64 in 1...3 { try session.parse(statement, limit: 3) }
        _ = session.use(1, limit: 3)
        #expect(try session.parse(4, limit: 3) == Self.preparation(evicting: 2))
        _ = session.use(3, limit: 3)
        #expect(try session.parse(5, limit: 3) == Self.preparation(evicting: 1))
        #expect(session.statements.count == 3)
        // One that is there is no newcomer.
        #expect(try session.parse(3, limit: 3) == Self.preparation(closesFirst: true))
    }

    @Test func whatIsTooMuchBehindASkippedCloseGoesTogether() throws {
        var session = StatementSession()
        for statement: UInt64 in 1...2 { try session.parse(statement, limit: 2) }
        try session.sync()
        try session.succeed(2)
        try session.ready()
        // These fail, and so the closes of 1 and 2 are skipped.
        try session.flow.sent(.bind)
        for statement: UInt64 in 3...4 { try session.parse(statement, limit: 2) }
        try session.sync()
        try session.fail()
        try session.ready()
        for statement: UInt64 in 5...6 { try session.parse(statement, limit: 4) }
        try session.sync()
        try session.succeed(2)
        try session.ready()
        #expect(session.statements.count == 4)
        #expect(try session.parse(7, limit: 2) == Self.preparation(evicting: 1, 2, 5))
        #expect(session.statements.count == 2)
    }

    // MARK: Failures

    @Test func aParseThatFailedOrWasSkippedLeavesNothing() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.parse(2)
        try session.parse(3)
        try session.sync()
        try session.succeed(1)
        try session.fail()
        #expect([1, 2, 3].map { session.statements.holds($0) } == [true, false, false])
    }

    @Test func aCloseThatWasSkippedLeavesACopyOfUnknownAge() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.succeed(1)
        try session.ready()
        try session.parse(2)
        try session.close(1)
        try session.sync()
        #expect(!session.statements.holds(1))
        try session.fail()
        #expect(session.statements.holds(1) && !session.statements.holds(2))
        #expect(session.use(1) == Self.preparation(closesFirst: true))
    }

    @Test func aSecondParseThatWasSkippedLeavesTheFirst() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.succeed(1)
        try session.ready()
        try session.flow.sent(.bind)
        try session.parse(1)
        try session.sync()
        try session.fail()
        #expect(session.statements.holds(1))
        #expect(try session.parse(1) == Self.preparation(closesFirst: true))
    }

    @Test func whileACloseIsOpenAParseClosesFirst() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.succeed(1)
        try session.ready()
        try session.flow.sent(.bind)
        try session.close(1)
        try session.sync()
        #expect(try session.parse(1) == Self.preparation(closesFirst: true))
        try session.sync()
        try session.fail()
        try session.ready()
        try session.succeed(2)
        #expect(session.statements.holds(1))
    }

    @Test func whatIsAnsweredCannotFailAnyMore() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.succeed(1)
        try session.ready()
        try session.parse(2)
        try session.sync()
        try session.fail()
        #expect(session.statements.holds(1) && !session.statements.holds(2))
    }

    @Test func anErrorEndsItsOwnBatchOnly() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.parse(2)
        try session.sync()
        try session.fail()
        #expect(!session.statements.holds(1) && session.statements.holds(2))
    }

    // MARK: What is open

    @Test func whatAnEarlierBatchWillSayIsOpen() throws {
        var session = StatementSession()
        try session.parse(1)
        #expect(
            !session.statements.isOpen(1, session.flow), "in its own batch it fails together with its use")
        try session.sync()
        #expect(session.statements.isOpen(1, session.flow))
        #expect(!session.statements.isOpen(2, session.flow))
        try session.succeed(1)
        #expect(!session.statements.isOpen(1, session.flow))
    }

    @Test func aCloseUnderWayLeavesOpenWhetherTheSessionHasTheStatement() throws {
        var session = StatementSession()
        try session.parse(1)
        try session.sync()
        try session.succeed(1)
        try session.ready()
        try session.close(1)
        #expect(
            !session.statements.isOpen(1, session.flow), "in its own batch it fails together with its use")
        try session.sync()
        #expect(session.statements.isOpen(1, session.flow))
        try session.flow.received(.closeComplete)
        #expect(!session.statements.isOpen(1, session.flow))
    }

    // MARK: The unnamed statement

    private static let mine = ServerStatements.Unnamed.of(user: 7, version: 1)
    private static let next = ServerStatements.Unnamed.of(user: 7, version: 2)
    private static let last = ServerStatements.Unnamed.of(user: 7, version: 3)

    private static func withUnnamed(_ unnamed: [ServerStatements.Unnamed]) throws -> StatementSession {
        var session = StatementSession()
        for statement in unnamed {
            try session.flow.sent(.parse)
            session.statements.setUnnamed(statement, session.flow)
        }
        return session
    }

    @Test func theUnnamedStatementIsThatOfTheLastParse() throws {
        let session = try Self.withUnnamed([Self.mine, Self.next])
        #expect(session.statements.unnamed == Self.next)
    }

    @Test func aParseThatFailsTakesTheOldUnnamedStatementWithIt() throws {
        var session = try Self.withUnnamed([Self.mine])
        try session.succeed(1)
        try session.flow.sent(.parse)
        session.statements.setUnnamed(Self.next, session.flow)
        try session.fail()
        #expect(session.statements.unnamed == .unknown)
    }

    @Test func aParseThatIsSkippedLeavesTheOldUnnamedStatement() throws {
        var session = try Self.withUnnamed([Self.mine])
        try session.succeed(1)
        try session.flow.sent(.bind)
        try session.flow.sent(.parse)
        session.statements.setUnnamed(Self.next, session.flow)
        try session.fail()
        #expect(session.statements.unnamed == Self.mine)
    }

    @Test func ofSeveralThatAreSkippedTheLastBeforeThemIsLeft() throws {
        var session = try Self.withUnnamed([Self.mine])
        try session.succeed(1)
        try session.flow.sent(.bind)
        for statement in [Self.next, Self.last] {
            try session.flow.sent(.parse)
            session.statements.setUnnamed(statement, session.flow)
        }
        try session.fail()
        #expect(session.statements.unnamed == .of(user: 7, version: 1))
    }

    @Test func anErrorBehindTheParseLeavesTheUnnamedStatement() throws {
        var session = try Self.withUnnamed([Self.mine])
        try session.flow.sent(.bind)
        try session.succeed(1)
        try session.fail()
        #expect(session.statements.unnamed == Self.mine)
    }

    @Test func aSimpleQueryEndsTheUnnamedStatement() throws {
        var session = try Self.withUnnamed([Self.mine])
        try session.succeed(1)
        session.statements.endUnnamed()
        #expect(session.statements.unnamed == .none)
        try session.flow.sent(.bind)
        try session.fail()
        #expect(session.statements.unnamed == .none)
    }
}
