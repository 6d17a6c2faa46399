// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import CaromTestSupport
import Testing

@testable import CaromPooler

private let conversations = (capturedFlows + capturedRandomFlows + caseFlows).map { RelayConversation($0) }

/// Seeded cuts over all conversations together; a hundred thousand, as the conversations are some two hundred.
private let cutsPerConversation = 100_000 / conversations.count + 1

extension [UInt8] {
    /// These bytes in pieces that end at random places.
    fileprivate func cut(_ random: inout SeededRandom) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        while start < count {
            let length = Int.random(in: 1...Swift.max(1, Swift.min(count - start, 40)), using: &random)
            let end = Swift.min(count, start + length)
            pieces.append(Array(self[start..<end]))
            start = end
        }
        return pieces
    }

    /// Whole server messages by type; nil if the bytes end inside one.
    fileprivate var messages: [UInt8]? {
        var tags: [UInt8] = []
        var position = 0
        while position < count {
            guard case .frame(let header) = Framing.next(in: span.bytes, at: position),
                position + header.length <= count
            else { return nil }
            tags.append(header.tag)
            position += header.length
        }
        return tags
    }
}

@Suite struct RelayMachineTests {
    @Test func anyCutOfBothStreamsYieldsTheSameBytes() {
        for (number, conversation) in conversations.enumerated() {
            var whole = RelayRig()
            for turn in conversation.turns {
                whole.clientSends(turn.client)
                if !turn.server.isEmpty { whole.serverSends(turn.server) }
                whole.answerQuestions()
            }
            for round in 0..<cutsPerConversation {
                let seed = UInt64(number) << 32 | UInt64(round)
                var random = SeededRandom(seed: seed)
                var rig = RelayRig()
                for turn in conversation.turns {
                    for piece in turn.client.cut(&random) { rig.clientSends(piece) }
                    for piece in turn.server.cut(&random) { rig.serverSends(piece) }
                    rig.answerQuestions()
                }
                let isSame =
                    rig.toServer == whole.toServer && rig.toClient == whole.toClient && rig.end == whole.end
                #expect(isSame, "\(conversation.name), seed \(seed)")
                #expect(rig.broken == nil, "\(conversation.name), seed \(seed)")
                if !isSame || rig.broken != nil { return }
            }
        }
    }

    @Test func everythingOfAConversationPassesUnchanged() {
        for conversation in conversations {
            var rig = RelayRig(keepsServer: true)
            // Something that needs a server comes first, so that nothing is answered or dropped without one.
            rig.clientSends(Self.query("begin it"))
            rig.serverSends(Self.ready)
            let (before, answered) = (rig.toServer.count, rig.toClient.count)
            for turn in conversation.turns {
                rig.clientSends(turn.client)
                if !turn.server.isEmpty { rig.serverSends(turn.server) }
            }
            #expect(Array(rig.toServer[before...]) == conversation.turns.flatMap(\.client))
            #expect(Array(rig.toClient[answered...]) == conversation.turns.flatMap(\.server))
            #expect(rig.end == nil, "\(conversation.name)")
        }
    }

    @Test func aServerLostAtAnyByteLeavesWholeMessagesAndOneAnswerForEachUnit() {
        var answered = 0
        for conversation in conversations {
            for (last, turn) in conversation.turns.enumerated() {
                for position in 0...turn.server.count {
                    var rig = RelayRig()
                    var owed = 0
                    for earlier in conversation.turns[..<last] {
                        rig.clientSends(earlier.client)
                        if !earlier.server.isEmpty { rig.serverSends(earlier.server) }
                        rig.answerQuestions()
                        owed += earlier.answers
                    }
                    rig.clientSends(turn.client)
                    // A COPY that the client has still to finish is a unit that it waits for, too.
                    let inCopy = conversation.turns[(last + 1)...].prefix(while: \.bringsOnlyCopyData)
                        .reduce(0) { $0 + $1.answers }
                    // What has not been answered may still fail, and a Sync behind what is not yet known to be a COPY counts.
                    let allowed = [turn.answers + inCopy, turn.answersIfAllFail, turn.answersIfAllSucceed]
                        .map { owed + $0 }
                    if position > 0 { rig.serverSends(Array(turn.server[..<position])) }
                    rig.loseServer()
                    if case .again = rig.loss { continue }
                    expectHonestEnd(rig, allowed, "\(conversation.name), turn \(last), byte \(position)")
                    if case .answer = rig.loss { answered += 1 }
                }
            }
        }
        // A machine that always closed the connection would be honest as well, and useless.
        #expect(answered > 1000)
    }

    private func expectHonestEnd(_ rig: borrowing RelayRig, _ allowed: [Int], _ place: String) {
        switch rig.end {
        case .cutOff: #expect(rig.toClient.messages == nil, "cut off, and not inside a message: \(place)")
        case .refused, .terminated, .clientLeft, .loginTimedOut, .shutdown, .handedOver:
            #expect(rig.toClient.messages != nil, "whole messages: \(place)")
        case nil:
            guard let tags = rig.toClient.messages else {
                Issue.record("the client got a part of a message: \(place)")
                return
            }
            if case .end = rig.loss { Issue.record("an end that was not kept: \(place)") }
            let answers = tags.count { $0 == BackendTag.readyForQuery.rawValue }
            #expect(allowed.contains(answers), "one answer for each unit: \(place)")
        }
        #expect(rig.broken == nil, "\(place)")
    }

    @Test func nothingOfTheClientsIsSentBeforeItsServerIsClean() {
        var random = SeededRandom(seed: 11)
        for conversation in conversations {
            var rig = RelayRig(startup: SettingValues([StartupParameter("TimeZone", "UTC")]))
            // Another client was here, and left something behind.
            Self.taint(&rig.server)
            var prepared = false
            for turn in conversation.turns {
                for piece in turn.client.cut(&random) { rig.clientSends(piece) }
                if rig.preludes.count == 1, !prepared {
                    prepared = true
                    #expect(rig.toServer.isEmpty, "\(conversation.name)")
                    let replies =
                        Self.complete("DISCARD ALL") + Self.ready + Self.complete("SET")
                        + Self.status("TimeZone", "UTC") + Self.ready
                    let told = rig.toClient.count
                    for piece in replies.cut(&random) {
                        #expect(rig.toServer.isEmpty && rig.toClient.count == told, "\(conversation.name)")
                        rig.serverSends(piece, isRecorded: false)
                    }
                }
                for piece in turn.server.cut(&random) { rig.serverSends(piece) }
                rig.answerQuestions()
            }
            #expect(rig.broken == nil, "\(conversation.name)")
        }
    }

    // MARK: Single decisions

    @Test func theLastUserComesBackWithoutAQuestion() {
        var rig = RelayRig()
        rig.machine.begin(with: SessionBook(), isConfirmed: true)
        for _ in 0..<3 {
            rig.clientSends(Self.query("select 1"))
            rig.serverSends(Self.complete("SELECT 1") + Self.ready)
        }
        #expect(rig.preludes.isEmpty)
        #expect(rig.releases == 3)
    }

    @Test func aServerThatCannotBeResetIsReplaced() {
        var rig = RelayRig()
        Self.taint(&rig.server)
        rig.clientSends(Self.query("select 1"))
        #expect(rig.preludes.count == 1)
        rig.serverSends(Self.error("55000", .error) + Self.ready)
        #expect(rig.end == nil)
        #expect(rig.replacements == 1)
        #expect(rig.toServer == Self.query("select 1"), "the new server gets it")
        #expect(rig.toClient.isEmpty)
    }

    @Test func aRefusedSettingEndsTheSessionWithTheServersOwnCode() {
        var rig = RelayRig(startup: SettingValues([StartupParameter("TimeZone", "Nowhere")]))
        rig.clientSends(Self.query("select 1"))
        rig.serverSends(Self.error("22023", .error) + Self.ready)
        guard case .refused(let fields) = rig.end else {
            Issue.record("the session goes on")
            return
        }
        #expect(fields.code == .invalidParameterValue)
        #expect(rig.toServer.isEmpty)
    }

    @Test func aGoodbyeBehindAQueryWaitsForItsAnswer() {
        var rig = RelayRig()
        rig.clientSends(Self.query("insert") + [UInt8(ascii: "X"), 0, 0, 0, 4])
        #expect(rig.end == nil)
        let isEnding = rig.machine.isEnding
        #expect(isEnding)
        rig.serverSends(Self.complete("INSERT 0 1") + Self.ready)
        #expect(rig.end == .terminated)
        #expect(rig.toClient == Self.complete("INSERT 0 1") + Self.ready)
    }

    @Test func aGoodbyeWithNothingOwedEndsAtOnce() {
        var rig = RelayRig()
        rig.clientSends([UInt8(ascii: "X"), 0, 0, 0, 4])
        #expect(rig.end == .terminated)
        #expect(rig.attachments == 0)
    }

    @Test func behindTheServersFatalTheConnectionCloses() {
        var rig = RelayRig()
        rig.clientSends(Self.query("select 1"))
        rig.serverSends(Self.error("57P01", .fatal))
        rig.loseServer()
        guard case .cutOff = rig.end else {
            Issue.record("the session goes on behind FATAL")
            return
        }
        #expect(rig.toClient == Self.error("57P01", .fatal))
    }

    @Test func aLongParseThatIsSkippedWhileItComesLeavesTheStatementBefore() {
        var rig = RelayRig(statements: StatementRegistry())
        var sync: [UInt8] = []
        FrontendTag.sync.encodeEmpty(into: &sync)
        var first: [UInt8] = []
        Parse(name: "", query: "select 'before'").encode(into: &first)
        rig.clientSends(first + sync)
        rig.serverSends([UInt8(ascii: "1"), 0, 0, 0, 4] + Self.ready)
        var ghost: [UInt8] = []
        Bind(statement: Array("ghost".utf8)).encode(into: &ghost)
        var long: [UInt8] = []
        Parse(name: "", query: "select '" + String(repeating: "x", count: 70_000) + "'").encode(into: &long)
        rig.clientSends(ghost + long[..<30_000])
        rig.serverSends(Self.error("26000", .error))
        rig.clientSends(long[30_000...] + sync)
        rig.serverSends(Self.ready)
        #expect(rig.releases == 2)
        // Another server, which has nothing of the client's.
        rig.server = ServerState()
        let sent = rig.toServer.count
        var bind: [UInt8] = []
        Bind(statement: []).encode(into: &bind)
        rig.clientSends(bind + sync)
        #expect(Array(rig.toServer[sent...]) == first + bind + sync)
        #expect(rig.end == nil && rig.broken == nil)
    }

    @Test func whatIsNoMessageOfItsTypeIsTheServersToRefuse() {
        var random = SeededRandom(seed: 5)
        for round in 0..<20_000 {
            var rig = RelayRig(
                keepsServer: round.isMultiple(of: 4),
                startup: SettingValues([StartupParameter("x", "1")]), statements: StatementRegistry())
            rig.clientSends(Self.query("begin"))
            rig.serverSends(Self.complete("SET") + Self.ready)
            let tag = Array("QPBDCEF".utf8).randomElement(using: &random)!
            let alphabet: [UInt8] = [0, 0, 1, 0x50, 0x53, 0x61, 0x80, 0xff]
            var message: [UInt8] = []
            message.appendMessage(tag) { bytes in
                for _ in 0..<Int.random(in: 0...9, using: &random) {
                    bytes.append(alphabet.randomElement(using: &random)!)
                }
            }
            let before = rig.toServer.count
            rig.clientSends(message)
            #expect(rig.end == nil && rig.broken == nil && rig.toServer.count > before, "\(message)")
        }
    }

    @Test func aPartOfAMessageIsNoReasonToTakeAServer() {
        var rig = RelayRig()
        rig.clientSends(Array(Self.query("select 1").dropLast()))
        #expect(rig.attachments == 0)
        rig.clientSends([0])
        #expect(rig.attachments == 1)
        #expect(rig.toServer == Self.query("select 1"))
    }

    /// Another client was here and left something behind.
    private static func taint(_ server: inout ServerState) {
        server.adopt(by: 3)
        server.taint(.everything)
    }

    // MARK: Messages

    private static func query(_ sql: String) -> [UInt8] {
        var bytes: [UInt8] = []
        Query(sql).encode(into: &bytes)
        return bytes
    }

    private static var ready: [UInt8] {
        var bytes: [UInt8] = []
        ReadyForQuery(status: .idle).encode(into: &bytes)
        return bytes
    }

    private static func complete(_ tag: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText(tag) }
        return bytes
    }

    private static func status(_ name: String, _ value: String) -> [UInt8] {
        var bytes: [UInt8] = []
        ParameterStatus(name: name, value: value).encode(into: &bytes)
        return bytes
    }

    private static func error(_ code: String, _ severity: ErrorFields.Severity) -> [UInt8] {
        var bytes: [UInt8] = []
        ErrorFields(severity: severity, code: SQLState(code)!, message: "no").encode(into: &bytes)
        return bytes
    }
}
