// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private func query(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    Query(Array(text.utf8)).encode(into: &bytes)
    return bytes
}

private func answer(_ tag: String, _ status: TransactionStatus = .idle) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText(tag) }
    ReadyForQuery(status: status).encode(into: &bytes)
    return bytes
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// What a relay does for a client that listens while its servers are pooled.
@Suite struct ListeningTests {
    private static func rig(_ channels: ClientChannels) -> RelayRig {
        var rig = RelayRig(
            statements: StatementRegistry(numbers: StatementNumbers(), memory: StatementMemory(limit: nil)),
            channels: channels)
        rig.server.report(ParameterStatus(name: "client_encoding", value: "UTF8"))
        return rig
    }

    @Test func theAnswerWaitsUntilTheServerListensToNothing() {
        let channels = ClientChannels()
        var rig = Self.rig(channels)
        rig.heard.channels = ["a"]
        rig.clientSends(query("listen a"))
        rig.serverSends(Array(answer("LISTEN")))
        #expect(!rig.toClient.suffix(6).elementsEqual(ReadyForQuery.idleMessage))
        #expect(rig.questions.count == 1 && text(rig.questions[0]).contains("UNLISTEN *"))
        rig.answerQuestions()
        #expect(rig.toClient.suffix(answer("LISTEN").count).elementsEqual(answer("LISTEN")))
        #expect(channels.names == ["a"])
        #expect(rig.releases == 1, "nothing pins")
    }

    @Test func aBlockIsAskedAboutAtItsEnd() {
        let channels = ClientChannels()
        var rig = Self.rig(channels)
        for (sql, reply) in [
            ("begin", answer("BEGIN", .inTransaction)), ("listen a", answer("LISTEN", .inTransaction)),
            ("select 1", answer("SELECT 1", .inTransaction)),
        ] {
            rig.clientSends(query(sql))
            rig.serverSends(reply)
            #expect(rig.toClient.suffix(reply.count).elementsEqual(reply) && rig.questions.isEmpty)
        }
        rig.heard.channels = ["a"]
        rig.clientSends(query("commit"))
        rig.serverSends(answer("COMMIT"))
        #expect(rig.questions.count == 1)
        rig.answerQuestions()
        #expect(rig.toClient.suffix(answer("COMMIT").count).elementsEqual(answer("COMMIT")))
        #expect(channels.names == ["a"] && !channels.isUnsettled)
    }

    @Test func aStopInABlockIsMarked() {
        let channels = ClientChannels()
        var rig = Self.rig(channels)
        rig.heard.channels = ["a", "b"]
        rig.clientSends(query("listen a; listen b"))
        rig.serverSends(answer("LISTEN"))
        rig.answerQuestions()
        rig.clientSends(query("begin"))
        rig.serverSends(answer("BEGIN", .inTransaction))
        rig.clientSends(query("unlisten a"))
        #expect(text(rig.toServer).contains("SET carom.unlisten_0 = 'set'"))
        rig.serverSends(answer("SET", .inTransaction))
        rig.serverSends(answer("UNLISTEN", .inTransaction))
        rig.clientSends(query("commit"))
        rig.heard = ChannelInquiry.Answer(marks: [0])
        rig.serverSends(answer("COMMIT"))
        rig.answerQuestions()
        #expect(channels.names == ["b"])
    }

    @Test func aClientOfAnotherEncodingKeepsItsServer() {
        let channels = ClientChannels()
        var rig = Self.rig(channels)
        rig.server.report(ParameterStatus(name: "client_encoding", value: "LATIN1"))
        rig.left.kept = .channels
        rig.clientSends(query("listen a"))
        rig.serverSends(answer("LISTEN"))
        #expect(rig.toClient.suffix(answer("LISTEN").count).elementsEqual(answer("LISTEN")), "told at once")
        rig.answerQuestions()
        #expect(channels.isEmpty && rig.releases == 0)
    }

    @Test func aLostServerTakesWhatItsTransactionWouldHaveChanged() {
        let channels = ClientChannels()
        var rig = Self.rig(channels)
        rig.clientSends(query("begin; listen a"))
        rig.serverSends(answer("LISTEN", .inTransaction))
        rig.loseServer()
        #expect(channels.isEmpty)
    }
}
