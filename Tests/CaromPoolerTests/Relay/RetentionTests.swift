// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What goes to another server when its own is lost before it has answered.
@Suite struct RetentionTests {
    private static let complete: [UInt8] = {
        var bytes: [UInt8] = []
        bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText("BEGIN") }
        return bytes
    }()

    private static func ready(_ status: TransactionStatus = .idle) -> [UInt8] {
        var bytes: [UInt8] = []
        ReadyForQuery(status: status).encode(into: &bytes)
        return bytes
    }

    private static func word(
        _ severity: ErrorFields.Severity, _ code: SQLState, asNotice: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        ErrorFields(severity: severity, code: code, message: "no").encode(asNotice: asNotice, into: &bytes)
        return bytes
    }

    private static func lose(_ sent: [UInt8], retries: Int = 0, behind: [UInt8] = []) -> RelayRig {
        var rig = RelayRig(statements: StatementRegistry())
        rig.retries = retries
        rig.clientSends(sent)
        if !behind.isEmpty { rig.serverSends(behind) }
        rig.loseServer()
        return rig
    }

    private static func wasSentAgain(_ rig: borrowing RelayRig) -> Bool {
        if case .again = rig.loss { return rig.end == nil && rig.broken == nil && rig.toClient.isEmpty }
        return false
    }

    // MARK: Beginnings of transactions

    @Test func aBeginThatHadNoAnswerGoesToAnotherServer() {
        var rig = Self.lose(Messages.of { $0.query("BEGIN") })
        let isAgain1 = Self.wasSentAgain(rig)
        #expect(isAgain1)
        #expect(
            rig.toServer
                == Messages.of {
                    $0.query("BEGIN"); $0.query("BEGIN")
                })
        #expect(rig.attachments == 2)
        rig.serverSends(Self.complete + Self.ready(.inTransaction))
        #expect(rig.toClient == Self.complete + Self.ready(.inTransaction))
        // From here on it is that server's transaction.
        rig.clientSends(Messages.of { $0.query("SELECT 1") })
        rig.loseServer()
        guard case .answer = rig.loss else {
            Issue.record("a transaction changed servers")
            return
        }
    }

    @Test func soDoesOneInExtendedMessages() {
        let batch = Messages.of {
            $0.parse("", "start transaction")
            $0.run("")
            $0.sync()
        }
        var rig = Self.lose(batch)
        let isAgain2 = Self.wasSentAgain(rig)
        #expect(isAgain2)
        #expect(rig.toServer == batch + batch)
        let parsed: [UInt8] = [UInt8(ascii: "1"), 0, 0, 0, 4, UInt8(ascii: "2"), 0, 0, 0, 4]
        rig.serverSends(parsed + Self.complete + Self.ready(.inTransaction))
        #expect(rig.toClient == parsed + Self.complete + Self.ready(.inTransaction))
        #expect(rig.broken == nil && rig.end == nil)
    }

    @Test(arguments: [
        Messages.of { $0.query("SELECT 1") }, Messages.of { $0.query("BEGIN; SELECT 1") },
        Messages.of {
            $0.query("BEGIN"); $0.query("SELECT 1")
        },
        Messages.of {
            $0.query("SELECT 1"); $0.query("BEGIN")
        },
        Messages.of {
            $0.parse("", "BEGIN"); $0.run(""); $0.parse("", "DELETE FROM t"); $0.run(""); $0.sync()
        },
        Messages.of {
            $0.parse("", "DELETE FROM t"); $0.run(""); $0.parse("", "BEGIN"); $0.run(""); $0.sync()
        },
    ])
    func whateverElseMayHaveHappenedDoesNot(_ sent: [UInt8]) {
        let rig = Self.lose(sent)
        guard case .answer = rig.loss else {
            Issue.record("it was sent again")
            return
        }
        #expect(rig.attachments == 1)
    }

    @Test func whatFollowsBeforeTheAnswerKeepsItHere() {
        var rig = RelayRig(statements: StatementRegistry())
        rig.clientSends(Messages.of { $0.query("BEGIN") })
        rig.clientSends(Messages.of { $0.query("INSERT INTO t VALUES (1)") })
        rig.loseServer()
        guard case .answer(_, count: 2) = rig.loss else {
            Issue.record("two answers were owed")
            return
        }
    }

    @Test func itIsTriedSoOftenAndNoMore() {
        var rig = Self.lose(Messages.of { $0.query("BEGIN") })
        for _ in 1..<Retention.attempts { rig.loseServer() }
        let isAgain3 = Self.wasSentAgain(rig)
        #expect(isAgain3)
        rig.loseServer()
        guard case .answer = rig.loss else {
            Issue.record("it goes on for ever")
            return
        }
        // The next one begins from the start.
        rig.server = ServerState()
        rig.clientSends(Messages.of { $0.query("BEGIN") })
        rig.serverSends(Self.complete + Self.ready())
        rig.clientSends(Messages.of { $0.query("BEGIN") })
        rig.loseServer()
        guard case .again = rig.loss else {
            Issue.record("an answer does not end the series")
            return
        }
    }

    @Test func aServerOfTheClientsOwnIsNotReplaced() {
        var rig = RelayRig(keepsServer: true)
        rig.clientSends(Messages.of { $0.query("BEGIN") })
        rig.loseServer()
        guard case .refused = rig.end else {
            Issue.record("the session goes on with another server")
            return
        }
    }

    // MARK: Reads

    @Test func whatOnlyReadsGoesToAnotherServerAsOftenAsTheRouteSays() {
        let request = Messages.of { $0.query("SELECT now()") }
        var rig = Self.lose(request, retries: 2)
        let isAgain4 = Self.wasSentAgain(rig)
        #expect(isAgain4)
        rig.loseServer()
        let isAgain5 = Self.wasSentAgain(rig)
        #expect(isAgain5 && rig.toServer == request + request + request)
        rig.loseServer()
        guard case .answer(_, count: 1) = rig.loss else {
            Issue.record("three times is too often")
            return
        }
    }

    @Test func aPreparedStatementComesAlong() {
        var rig = RelayRig(statements: StatementRegistry())
        rig.retries = 1
        rig.clientSends(
            Messages.of {
                $0.parse("s", "SELECT 1"); $0.sync()
            })
        let parsed: [UInt8] = [UInt8(ascii: "1"), 0, 0, 0, 4]
        rig.serverSends(parsed + Self.ready())
        let before = rig.toServer.count
        rig.clientSends(
            Messages.of {
                $0.run("s"); $0.sync()
            })
        let first = Array(rig.toServer[before...])
        rig.loseServer()
        let second = Array(rig.toServer[(before + first.count)...])
        #expect(second.first == FrontendTag.parse.rawValue && second.suffix(first.count) == first[...])
        #expect(rig.end == nil && rig.broken == nil)
    }

    @Test func anAnswerThatHasBegunEndsIt() {
        let rig = Self.lose(Messages.of { $0.query("SELECT 1") }, retries: 3, behind: Self.complete)
        guard case .answer = rig.loss else {
            Issue.record("the client would get two answers")
            return
        }
    }

    @Test func theTransactionStaysWhereItBegan() {
        var rig = RelayRig()
        rig.retries = 3
        rig.clientSends(Messages.of { $0.query("BEGIN") })
        rig.serverSends(Self.complete + Self.ready(.inTransaction))
        rig.clientSends(Messages.of { $0.query("SELECT 1") })
        rig.loseServer()
        guard case .answer = rig.loss else {
            Issue.record("a transaction changed servers")
            return
        }
    }

    @Test func whatIsTooLongIsNotKept() {
        let long = "SELECT '" + String(repeating: "x", count: Retention.limit) + "'"
        guard case .answer = Self.lose(Messages.of { $0.query(long) }, retries: 3).loss else {
            Issue.record("it was kept")
            return
        }
    }

    @Test func withoutRoomItStays() {
        var rig = RelayRig()
        (rig.retries, rig.room) = (3, 4)
        rig.clientSends(Messages.of { $0.query("SELECT 1") })
        rig.loseServer()
        guard case .answer = rig.loss else {
            Issue.record("it was taken back")
            return
        }
    }

    // MARK: Goodbyes

    @Test(arguments: [
        word(.fatal, .adminShutdown), word(.warning, .crashShutdown, asNotice: true),
        word(.warning, .adminShutdown, asNotice: true) + word(.fatal, .adminShutdown),
    ])
    func aGoodbyeInPlaceOfAnAnswerIsNotTold(_ words: [UInt8]) {
        let begin = Self.lose(Messages.of { $0.query("BEGIN") }, behind: words)
        let read = Self.lose(Messages.of { $0.query("SELECT 1") }, retries: 1, behind: words)
        let (isBeginAgain, isReadAgain) = (Self.wasSentAgain(begin), Self.wasSentAgain(read))
        #expect(isBeginAgain && isReadAgain)
    }

    @Test(arguments: [
        word(.error, .queryCanceled), word(.fatal, .outOfMemory), word(.notice, .warning, asNotice: true),
    ])
    func anythingElseIsAnAnswer(_ words: [UInt8]) {
        var rig = Self.lose(Messages.of { $0.query("SELECT 1") }, retries: 3, behind: words)
        if case .again = rig.loss { Issue.record("it was sent again") }
        #expect(rig.toClient.starts(with: words))
        rig.retries = 0
    }

    @Test func anErrorThatIsToldInOtherWordsIsAnAnswer() {
        var rig = RelayRig(statements: StatementRegistry())
        rig.retries = 3
        rig.clientSends(
            Messages.of {
                $0.run("ghost"); $0.sync()
            })
        rig.serverSends(Self.word(.error, .invalidStatementName))
        #expect(!rig.toClient.isEmpty)
        rig.loseServer()
        if case .again = rig.loss { Issue.record("the client would get two answers") }
    }

    @Test func whatWasLostForGoodDoesNotComeBackWithTheNext() {
        var rig = Self.lose(Messages.of { $0.query("SELECT 1") })
        rig.retries = 1
        let next = Messages.of { $0.query("SELECT 2") }
        rig.server = ServerState()
        let before = rig.toServer.count
        rig.clientSends(next)
        rig.loseServer()
        #expect(Array(rig.toServer[before...]) == next + next)
        rig.loseServer()
        rig.server = ServerState()
        let later = rig.toServer.count
        rig.clientSends(next)
        rig.loseServer()
        #expect(Array(rig.toServer[later...]) == next + next)
    }

    @Test func whoCannotGoElsewhereIsToldThatTheServerIsLost() {
        var rig = Self.lose(Messages.of { $0.query("SELECT 1") }, retries: 1)
        rig.serverSends(Self.word(.fatal, .adminShutdown))
        rig.loseServer()
        guard case .answer(let fields, count: 1) = rig.loss else {
            Issue.record("the session ends")
            return
        }
        #expect(fields.code == .connectionFailure)
    }

    @Test func aGoodbyeBehindAnAnswerIsNoneOfThePooledClientsBusiness() {
        var rig = RelayRig()
        rig.clientSends(Messages.of { $0.query("SELECT 1") })
        rig.serverSends(Self.complete + Self.ready() + Self.word(.fatal, .adminShutdown))
        #expect(rig.toClient == Self.complete + Self.ready() && rig.end == nil)
        guard case .unnoticed = rig.loss else {
            Issue.record("the server is kept")
            return
        }
        rig.server = ServerState()
        rig.clientSends(Messages.of { $0.query("SELECT 2") })
        #expect(rig.attachments == 2 && rig.broken == nil)
    }

    @Test func whoseServerItIsHearsTheGoodbye() {
        var rig = RelayRig(keepsServer: true)
        rig.clientSends(Messages.of { $0.query("SELECT 1") })
        let said = Self.complete + Self.ready() + Self.word(.fatal, .adminShutdown)
        rig.serverSends(said)
        #expect(rig.toClient == said)
        rig.loseServer()
        guard case .cutOff = rig.end else {
            Issue.record("something is said behind FATAL")
            return
        }
    }

    // MARK: What the loss leaves behind

    @Test func aStatementWhoseParseWasLostIsNone() {
        var rig = RelayRig(statements: StatementRegistry())
        rig.clientSends(
            Messages.of {
                $0.parse("s", "SELECT 1"); $0.sync()
            })
        rig.loseServer()
        rig.server = ServerState()
        let before = rig.toServer.count
        let batch = Messages.of {
            $0.parse("s", "SELECT 2"); $0.run("s"); $0.sync()
        }
        rig.clientSends(batch)
        #expect(rig.waiting == 0, "it waits for an answer that nobody owes")
        #expect(rig.toServer.count > before)
        #expect(rig.end == nil && rig.broken == nil)
    }

    @Test func whatWaitedForALostAnswerGoesOn() {
        var rig = RelayRig(statements: StatementRegistry())
        rig.clientSends(
            Messages.of {
                $0.query("DEALLOCATE ALL"); $0.query("SELECT 1")
            })
        #expect(rig.waiting > 0)
        rig.loseServer()
        rig.server = ServerState()
        rig.clientSends(Messages.of { $0.query("SELECT 2") })
        #expect(rig.waiting == 0, "it waits for an answer that nobody owes")
    }
}
