// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

private func message(_ tag: BackendTag, _ body: String = "") -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendMessage(tag.rawValue) { $0 += body.utf8 }
    return bytes
}

private func complete(_ tag: String) -> [UInt8] { message(.commandComplete, tag + "\0") }

private func ready(_ status: TransactionStatus = .idle) -> [UInt8] {
    var bytes: [UInt8] = []
    ReadyForQuery(status: status).encode(into: &bytes)
    return bytes
}

private func error(_ code: String, _ text: String = "no", severity: ErrorFields.Severity = .error) -> [UInt8]
{
    var bytes: [UInt8] = []
    ErrorFields(severity: severity, code: SQLState(code)!, message: text).encode(into: &bytes)
    return bytes
}

private let one = message(.parseComplete)
private let two = message(.bindComplete)
private let three = message(.closeComplete)

/// A server's session and what of its replies is for the client.
private struct Listener: ~Copyable {
    var state = ServerState()
    /// What the client gets.
    var visible: [UInt8] = []
    var withheld: [TransactionStatus] = []
    var failed: [ClosedRange<UInt64>] = []
    var misnamed: [ErrorFields] = []
    var deallocations = 0
    var stalePlans = 0
    var errors = 0
    var completed = 0
    /// A look that says that nothing is rare although something is.
    var isCareless = false

    /// `h` is a message of the pooler's own.
    mutating func send(_ tags: String) throws {
        for tag in tags.utf8 {
            if tag == UInt8(ascii: "h") { state.sendHidden() } else { try state.send(tag) }
        }
    }

    /// The server says this, and all of it is read.
    mutating func hear(_ bytes: [UInt8]) {
        var chunk = state.unread + bytes
        state.unread = []
        while true {
            let received = state.receive(chunk.span.bytes, limits: .server())
            visible += chunk[received.visible]
            if let status = received.withheld { withheld.append(status) }
            if let range = received.failed { failed.append(range) }
            if let fields = received.misnamed { misnamed.append(fields) }
            if received.deallocatedThrough != nil { deallocations += 1 }
            if received.hasStalePlan { stalePlans += 1 }
            if received.hasError { errors += 1 }
            completed += received.completed
            let isRare =
                received.withheld != nil || received.failed != nil || received.misnamed != nil
                || received.deallocatedThrough != nil
                || received.hasError || received.parametersChanged
            if isRare, received.isOrdinary { isCareless = true }
            chunk.removeFirst(received.consumed)
            if !received.hasMore { break }
        }
        state.unread = chunk
    }
}

/// Replies of a server that the client must not see, in the middle of those that it waits for.
@Suite struct HiddenRepliesTests {
    @Test func theRepliesToHiddenMessagesAreKeptBack() throws {
        var listener = Listener()
        try listener.send("hhBES")
        listener.hear(three + one + two + complete("SELECT 1") + ready())
        let seen = listener.visible == two + complete("SELECT 1") + ready()
        #expect(seen)
        let readiness = listener.state.readiness
        #expect(readiness == .idle)
    }

    @Test func theClientsOwnParseIsAnsweredToIt() throws {
        var listener = Listener()
        try listener.send("PhBChBS")
        listener.hear(one + one + two + three + one + two + ready())
        let seen = listener.visible == one + two + three + two + ready()
        #expect(seen)
    }

    @Test func whatTheServerSaysByItselfIsTheClients() throws {
        var listener = Listener()
        try listener.send("hBS")
        let notice = message(.noticeResponse, "SNOTICE\0\0")
        var status: [UInt8] = []
        ParameterStatus(name: "TimeZone", value: "UTC").encode(into: &status)
        // The first is a warning about a text that the client was warned of when it sent it.
        listener.hear(notice + one + status + notice + two + ready())
        let seen = listener.visible == status + notice + two + ready()
        #expect(seen)
        let zone = listener.state.reported["TimeZone"]
        #expect(zone == "UTC")
    }

    @Test func aNotificationAmongTheAnswersToAQuestionIsTheClients() throws {
        let notification = message(.notificationResponse, "\0\0\0\u{1}news\0told\0")
        var listener = Listener()
        listener.state.adopt(by: 1)
        try listener.state.sendSuppressed()
        listener.hear(complete("SELECT 1") + notification + ready())
        let seen = listener.visible == notification
        #expect(seen)
        let isOver = listener.state.suppressedReplies == 0
        #expect(isOver)
    }

    @Test func aNotificationForTheOneBeforeIsNotTheNextClients() throws {
        var listener = Listener()
        try listener.state.sendSuppressed()
        listener.state.adopt(by: 2)
        listener.hear(
            message(.notificationResponse, "\0\0\0\u{1}news\0told\0") + complete("DISCARD ALL") + ready())
        let isMute = listener.visible.isEmpty
        #expect(isMute)
    }

    @Test func anErrorInPlaceOfAHiddenReplyIsTheClients() throws {
        var listener = Listener()
        try listener.send("hBES")
        listener.hear(error("42601") + ready())
        let seen = listener.visible == error("42601") + ready()
        #expect(seen)
        let failed = listener.failed
        #expect(failed == [1...3])
    }

    // MARK: Failures by their numbers

    @Test func whatFailedIsToldByNumbers() throws {
        var listener = Listener()
        try listener.send("PBESPBESPBE")
        listener.hear(
            one + error("22012") + ready() + one + two + complete("SELECT 1") + ready() + error("42601"))
        let failed = listener.failed
        #expect(failed == [2...3, 7...9])
        let (errors, completed) = (listener.errors, listener.completed)
        #expect(errors == 2 && completed == 2)
    }

    @Test func anErrorInASimpleQueryFailsNoNumber() throws {
        var listener = Listener()
        try listener.send("PSQ")
        listener.hear(one + ready() + error("22012"))
        let (failed, errors) = (listener.failed, listener.errors)
        #expect(failed.isEmpty && errors == 1)
    }

    @Test func aStatementWhoseParseFailedIsNotHeld() throws {
        var listener = Listener()
        for number: UInt64 in 1...2 {
            _ = listener.state.statements.prepare(
                number, parsedAt: number, isOwnParse: true, limit: 9, listener.state.flow)
            try listener.send("P")
            listener.state.statements.didParse(number, at: number, listener.state.flow)
        }
        try listener.send("S")
        listener.hear(one + error("42601") + ready())
        let held = [listener.state.statements.holds(1), listener.state.statements.holds(2)]
        #expect(held == [true, false])
    }

    // MARK: Errors that name a statement

    @Test(arguments: ["26000", "42P05", "08P01"])
    func anErrorThatNamesAStatementIsHandedOver(_ code: String) throws {
        var listener = Listener()
        try listener.send("PBES")
        let text = "prepared statement \"carom_1\" is wrong"
        listener.hear(one + error(code, text) + ready())
        let seen = listener.visible == one + ready()
        #expect(seen)
        let misnamed = listener.misnamed.map(\.message)
        #expect(misnamed == [text])
        let failed = listener.failed
        #expect(failed == [2...3])
    }

    @Test func otherErrorsPassAsTheyAre() throws {
        var listener = Listener()
        try listener.send("PBESQ")
        listener.hear(one + error("42601") + ready() + error("22012") + ready())
        let seen = listener.visible == one + error("42601") + ready() + error("22012") + ready()
        #expect(seen)
        let misnamed = listener.misnamed.count
        #expect(misnamed == 0)
    }

    @Test func aStalePlanIsNoticed() throws {
        var listener = Listener()
        try listener.send("BES")
        var bytes: [UInt8] = []
        bytes.appendMessage(BackendTag.errorResponse.rawValue) {
            $0 +=
                "SERROR\0VERROR\0C0A000\0Mcached plan must not change result type\0RRevalidateCachedQuery\0\0"
                .utf8
        }
        listener.hear(bytes + ready())
        let stale = listener.stalePlans
        #expect(stale == 1)
        try listener.send("Q")
        listener.hear(error("0A000") + ready())
        let after = listener.stalePlans
        #expect(after == 1)
    }

    @Test(arguments: [
        ("DEALLOCATE ALL", 1), ("DISCARD ALL", 1), ("DEALLOCATE", 0), ("DISCARD TEMP", 0), ("SELECT 1", 0),
    ])
    func theEndOfAllStatementsIsSeenByItsTag(_ tag: String, _ count: Int) throws {
        var listener = Listener()
        try listener.send("P")
        listener.state.statements.didParse(1, at: 1, listener.state.flow)
        try listener.send("BES")
        listener.hear(one + two + complete(tag) + ready())
        let (deallocations, held) = (listener.deallocations, listener.state.statements.count)
        #expect(deallocations == count && held == 1 - count)
    }

    // MARK: A ReadyForQuery that is kept back

    @Test func theLastReadyIsKeptBackAndToldOf() throws {
        for status in [TransactionStatus.idle, .inTransaction, .failed] {
            var listener = Listener()
            try listener.send("Q")
            listener.state.withholding.begin()
            listener.hear(complete("RESET") + ready(status))
            let (seen, withheld) = (listener.visible == complete("RESET"), listener.withheld)
            #expect(seen && withheld == [status])
            try listener.send("Q")
            listener.hear(complete("SELECT 1") + ready(status))
            let later = listener.visible == complete("RESET") + complete("SELECT 1") + ready(status)
            #expect(later, "only one is kept back")
        }
    }

    @Test func theReadyOfEarlierRequestsPasses() throws {
        var listener = Listener()
        try listener.send("QQQ")
        listener.state.withholding.begin()
        listener.hear(
            complete("SELECT 1") + ready() + complete("SELECT 2") + ready() + complete("RESET") + ready())
        let seen =
            listener.visible == complete("SELECT 1") + ready() + complete("SELECT 2") + ready()
            + complete("RESET")
        #expect(seen)
        let (withheld, completed) = (listener.withheld, listener.completed)
        #expect(withheld == [.idle] && completed == 3)
    }

    @Test func theNextUserGetsItsReady() throws {
        var listener = Listener()
        listener.state.withholding.begin()
        listener.state.adopt(by: 9)
        try listener.send("Q")
        listener.hear(complete("SELECT 1") + ready())
        let seen = listener.visible == complete("SELECT 1") + ready()
        #expect(seen)
    }

    // MARK: The inquiry

    private static func row(_ values: String...) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendMessage(BackendTag.dataRow.rawValue) { bytes in
            bytes.append16(UInt16(values.count))
            for value in values { bytes.appendValue(Array(value.utf8)) }
        }
        return bytes
    }

    @Test func theRowsOfAnInquiryAreItsAnswer() throws {
        var listener = Listener()
        listener.state.report(ParameterStatus(name: "session_authorization", value: "app"))
        listener.state.didLogIn(.idle)
        try listener.state.sendSuppressed()
        listener.state.expectInquiry()
        listener.hear(
            message(.rowDescription, "\0\0") + Self.row("s", "work_mem", "34")
                + Self.row("s", "session_authorization", "617070")
                + Self.row("k", "locks", "") + complete("SELECT 3") + ready())
        let seen = listener.visible.isEmpty
        #expect(seen)
        let answer = listener.state.takeAnswer()
        #expect(answer?.settings.all == [StartupParameter("work_mem", "4")] && answer?.kept == .locks)
        let again = listener.state.takeAnswer()
        #expect(again == nil)
    }

    @Test func anInquiryWithWrongRowsHasNoAnswer() throws {
        var listener = Listener()
        try listener.state.sendSuppressed()
        listener.state.expectInquiry()
        listener.hear(Self.row("s", "work_mem") + complete("SELECT 1") + ready())
        let answer = listener.state.takeAnswer()
        #expect(answer == nil)
    }

    // MARK: Cuts

    /// One conversation with everything above in it, cut anywhere: what is seen, and what is known, is the same.
    @Test(arguments: 0..<300 as Range<UInt64>)
    func noCutOfTheServersStreamChangesAnything(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rounds: [(String, [UInt8], Bool)] = [
            (
                "hhBESPhBES",
                three + one + two + complete("SELECT 1") + ready() + one + one + two + complete("SELECT 1")
                    + ready(), false
            ),
            (
                "hBESPBES",
                error("26000", "prepared statement \"carom_1\" does not exist") + ready() + one
                    + error("22012") + ready(), false
            ),
            ("PBHhBS", one + two + one + error("08P01", "bind message for \"carom_2\"") + ready(), false),
            ("QQ", complete("SELECT 1") + ready() + complete("RESET") + ready(), true),
            (
                "BEShBES",
                two + complete("DEALLOCATE ALL") + ready() + one + two + complete("SELECT 1") + ready(), true
            ),
        ]
        var whole = Listener()
        var cut = Listener()
        for (tags, bytes, withholds) in rounds {
            try whole.send(tags)
            try cut.send(tags)
            if withholds {
                whole.state.withholding.begin()
                cut.state.withholding.begin()
            }
            whole.hear(bytes)
            var start = 0
            while start < bytes.count {
                let end = Int.random(in: (start + 1)...min(bytes.count, start + 30), using: &random)
                cut.hear(Array(bytes[start..<end]))
                start = end
            }
        }
        let isSame = [
            whole.visible == cut.visible, whole.withheld == cut.withheld, whole.failed == cut.failed,
            whole.misnamed == cut.misnamed, whole.deallocations == cut.deallocations,
            whole.errors == cut.errors,
            whole.completed == cut.completed,
        ]
        #expect(isSame == Array(repeating: true, count: isSame.count))
        let isCareless = [whole.isCareless, cut.isCareless]
        #expect(isCareless == [false, false])
        let readiness = [whole.state.readiness, cut.state.readiness]
        #expect(readiness == [.idle, .idle])
    }
}
