// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

@Suite struct ServerStatementsRandomTests {
    /// What a server makes of the same messages.
    private struct Server {
        /// Statements that exist, with the time of their text.
        var held: [UInt64: UInt64] = [:]
        var unnamed = ServerStatements.Unnamed.none
        var sent: [Message] = []
        var isSkipping = false
        var failures = 0

        enum Message {
            case parse(UInt64, at: UInt64)
            case close(UInt64)
            case unnamed(ServerStatements.Unnamed)
            case other
            case sync
        }
    }

    /// A session is a server's if it never believes in a statement that is not there, or is older, once all is answered.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func whatIsBelievedIsTrueWhateverFails(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var session = StatementSession()
        var server = Server()
        var times: [UInt64: UInt64] = [:]
        var version: UInt64 = 0
        let limit = Int.random(in: 1...5, using: &random)
        for _ in 0..<400 {
            let statement = UInt64.random(in: 1...8, using: &random)
            // What is sent while the server skips is not recorded.
            let choice = Int.random(in: session.flow.isSkippingToSync ? 5..<10 : 0..<10, using: &random)
            switch choice {
            case 0...3:
                let isOwn = times[statement] == nil || Bool.random(using: &random)
                if !isOwn, session.statements.isOpen(statement, session.flow) { continue }
                let time = isOwn ? session.now() : times[statement]!
                times[statement] = time
                let preparation = session.statements.prepare(
                    statement, parsedAt: time, isOwnParse: isOwn, limit: limit, session.flow)
                for evicted in preparation.evicted {
                    try session.close(evicted)
                    server.sent.append(.close(evicted))
                }
                if preparation.closesFirst {
                    try session.close(statement)
                    server.sent.append(.close(statement))
                }
                if preparation.parses {
                    try session.flow.sent(.parse)
                    session.statements.didParse(statement, at: time, session.flow)
                    server.sent.append(.parse(statement, at: time))
                }
                try session.flow.sent(.bind)
                server.sent.append(.other)
            case 4:
                version += 1
                try session.flow.sent(.parse)
                session.statements.setUnnamed(.of(user: 1, version: version), session.flow)
                server.sent.append(.unnamed(.of(user: 1, version: version)))
            case 5:
                try session.sync()
                server.sent.append(.sync)
            default:
                try answer(&session, &server, &random)
            }
            if server.sent.isEmpty { try expectTruth(session, server, limit, "seed \(seed)") }
        }
        try session.sync()
        server.sent.append(.sync)
        while !server.sent.isEmpty { try answer(&session, &server, &random) }
        try expectTruth(session, server, limit, "seed \(seed)")
    }

    /// The server reads its next message.
    private func answer(
        _ session: inout StatementSession, _ server: inout Server, _ random: inout SeededRandom
    ) throws {
        guard let message = server.sent.first else { return }
        server.sent.removeFirst()
        if case .sync = message {
            server.isSkipping = false
            return try session.ready()
        }
        if server.isSkipping { return }
        let fails = Int.random(in: 0..<12, using: &random) == 0
        switch message {
        case .parse(let statement, let time):
            #expect(server.held[statement] == nil, "a Parse of a statement that is there fails")
            if !fails { server.held[statement] = time }
        case .close(let statement): if !fails { server.held[statement] = nil }
        // The old one goes before the text is looked at.
        case .unnamed(let next): server.unnamed = fails ? .none : next
        case .other, .sync: break
        }
        if !fails { return try session.succeed(1) }
        server.isSkipping = true
        server.failures += 1
        try session.fail()
    }

    private func expectTruth(_ session: StatementSession, _ server: Server, _ limit: Int, _ place: String)
        throws
    {
        for statement: UInt64 in 1...8 where session.statements.holds(statement) {
            var copy = session
            let needed = copy.use(statement, parsedAt: 1)
            // A copy of unknown age may be missing: it is closed first, which does no harm.
            if !needed.closesFirst { #expect(server.held[statement] != nil, "\(place)") }
        }
        for (statement, time) in server.held {
            #expect(session.statements.holds(statement), "a statement that nobody would ever close: \(place)")
            var copy = session
            #expect(
                copy.use(statement, parsedAt: time + 1).parses,
                "the copy is no newer than its Parse: \(place)")
        }
        // A Close that was skipped leaves one too many.
        #expect(server.held.count <= limit + server.failures, "\(place)")
        if session.statements.unnamed != .unknown {
            #expect(session.statements.unnamed == server.unnamed, "\(place)")
        }
    }
}
