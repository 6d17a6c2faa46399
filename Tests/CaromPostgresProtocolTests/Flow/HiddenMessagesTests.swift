// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromTestSupport
import Testing

/// A flow after a line in the words of ``FlowScript``, in which `>h` is a message of the pooler's own.
private func play(_ line: String, on flow: QueryFlow = QueryFlow()) throws -> QueryFlow {
    var flow = flow
    for word in line.split(separator: " ") {
        if word == ">h" {
            flow.sentHidden()
        } else {
            try flow.play(FlowScript("", String(word)).steps[0])
        }
    }
    return flow
}

@Suite struct HiddenMessagesTests {
    @Test(
        arguments: [
            ("", false), (">h", true), (">h >B", true), (">h >B <1", false), (">h >B <1 <2", false),
            (">P >h >B", false), (">P >h >B <1", true), (">P >h >B <1 <1", false), (">h >h >B <3", true),
            (">h >h >B <3 <1", false), (">P >S >h >B >S", false), (">P >S >h >B >S <1", false),
            (">P >S >h >B >S <1 <ZI", true), (">h >B >S <N <S <A", true), (">h >B >S <1 <2 <ZI", false),
            (">h <E", false),
        ])
    func theReplyInItsPlaceIsTheHiddenOne(_ line: String, _ isHidden: Bool) throws {
        #expect(try play(line).answersHidden == isHidden)
    }

    @Test(arguments: [
        (">h >B >E >S <1 <2 <C", false), (">h >B >E >S <1 <2 <C <ZI", true), (">h >B >S <E", false),
        (">h >B >S <E <ZI", true),
        (">h >B <1 <2", false), (">h >B <E >S <ZI", true), (">P >h >B >S <1 <E <ZI", true),
        (">h >P >Q <1 <1 <C <ZI", true),
        (">h >P >Q >S <E <ZI", true), (">h >P >Q >S <1 <E <ZI", true), (">h >P >Q >S <1 <1 <E <ZI", false),
    ])
    func aHiddenMessageIsOwedLikeAnyOther(_ line: String, _ isFree: Bool) throws {
        #expect(try play(line).isFree == isFree)
    }

    /// Numbers of the last message sent, of the last that is over, and of the batch.
    @Test(arguments: [
        ("", 0, 0, 0), (">P >B >E", 3, 0, 0), (">P >D >E >C >B", 5, 0, 0), (">h >P", 2, 0, 0),
        (">h >P <1", 2, 1, 0),
        (">h >P <1 <1", 2, 2, 0), (">P >B >E >S", 3, 0, 1), (">P >B >E >S <1 <2 <C", 3, 3, 1),
        (">S >S >P", 1, 0, 2),
        (">Q <C <ZI", 0, 0, 0), (">F <V <ZI", 0, 0, 0), (">P >H <1", 1, 1, 0),
        // A description of parameters is half of the answer, as rows are.
        (">D >S <t", 1, 0, 1), (">D >S <t <T", 1, 1, 1), (">D >S <t <n", 1, 1, 1), (">E >S <D <D", 1, 0, 1),
        (">E >S <D <s", 1, 1, 1),
        // An error ends the message that failed and those that are skipped, up to the Sync and no further.
        (">P >B >E >S <E", 3, 3, 1), (">P >B >E >S <1 <E", 3, 3, 1), (">P >B >S >P >B >S <E", 4, 2, 2),
        (">P >B >Q >P >B >S <E", 4, 4, 1), (">P >h >B >S <1 <E", 3, 3, 1), (">h >P >h >B <E", 4, 4, 0),
        // What is skipped on arrival is never acted on.
        (">P <E >B >E >P", 1, 1, 0), (">P <E >B >E >S >P", 2, 1, 1),
        // A Query's error skips nothing.
        (">Q >P >S <E", 1, 0, 1), (">P >S >Q <E", 1, 1, 1),
    ])
    func messagesAreNumbered(_ line: String, _ sent: UInt64, _ done: UInt64, _ batch: UInt64) throws {
        let flow = try play(line)
        #expect(flow.extendedSent == sent && flow.extendedDone == done && flow.batch == batch)
    }

    @Test(arguments: [
        ("", false), (">P", true), (">h", true), (">P >S", false), (">P >S >P", true), (">P >S >P >S", false),
        (">P <1", false),
        (">P >B <1", true), (">P >B <1 <2", false), (">P >Q", true), (">P >Q <1", false), (">P >S <1", false),
        (">Q", false),
        (">Q >P", true), (">P >S >S", false), (">P >S <1 <ZI >B", true), (">P <E", false),
        (">P <E >S", false), (">P <E >S >P", true),
    ])
    func aQueryIsSkippedIfWhatStandsInFrontOfItInItsBatchFails(_ line: String, _ maySkip: Bool) throws {
        #expect(try play(line).maySkipQuery == maySkip)
    }

    @Test(arguments: [
        (">h >Q", true), (">P >h >Q", true), (">h >P >Q", true), (">h >S >Q", false), (">Q >h", false),
        (">h >Q <1", false),
    ])
    func aQueryBehindAHiddenMessageMayBeDiscarded(_ line: String, _ mayDiscard: Bool) throws {
        #expect(try play(line).mayDiscardQuery == mayDiscard)
    }

    /// What a flow says of itself, but for whose the next answer is.
    private struct Saying: Equatable {
        let flags: [Bool]
        let numbers: [UInt64]
        let ready: Int

        init(_ flow: QueryFlow) {
            flags = [
                flow.isFree, flow.isSynchronized, flow.isCertain, flow.isLost, flow.needsProbe,
                flow.awaitsClientData,
                flow.awaitsServer, flow.hasUnsyncedMessages, flow.isSkippingToSync, flow.sawUnaskedError,
                flow.maySkipQuery,
                flow.mayDiscardQuery, flow.hasSyncInsideCopy, flow.readyEndsRequest,
            ]
            numbers = [flow.extendedSent, flow.extendedDone, flow.batch]
            ready = flow.outstandingReady
        }
    }

    /// The server does not know whose message it reads: whatever it says, the flow is the same as if the client had sent it.
    @Test(arguments: 1...400)
    func aHiddenMessageChangesNothingElse(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var hidden = QueryFlow()
        var open = QueryFlow()
        for _ in 0..<150 {
            if Bool.random(using: &random) {
                let tag = FrontendTag.allCases.filter { $0 != .terminate }.randomElement(using: &random)!
                let isExtended = [.parse, .bind, .describe, .execute, .close].contains(tag)
                if isExtended, Bool.random(using: &random), !hidden.isSkippingToSync, !hidden.awaitsClientData
                {
                    hidden.sentHidden()
                    _ = try? open.sent(.parse)
                }
                let isSent = [try? hidden.sent(tag), try? open.sent(tag)]
                #expect(isSent[0] == isSent[1], "seed \(seed)")
            } else {
                let status = TransactionStatus.allCases.randomElement(using: &random)!.rawValue
                // Mostly what may come, so that the queue moves.
                let likely: [BackendTag] = [
                    .parseComplete, .bindComplete, .commandComplete, .readyForQuery, .errorResponse,
                ]
                let tag = (Int.random(in: 0..<4, using: &random) > 0 ? likely : BackendTag.allCases)
                    .randomElement(using: &random)!
                let isTaken = [
                    (try? hidden.received(tag.rawValue, firstBodyByte: status)) != nil,
                    (try? open.received(tag.rawValue, firstBodyByte: status)) != nil,
                ]
                #expect(isTaken[0] == isTaken[1], "seed \(seed)")
            }
            #expect(Saying(hidden) == Saying(open), "seed \(seed)")
            #expect(hidden.extendedDone <= hidden.extendedSent, "seed \(seed)")
            if hidden.isSynchronized { #expect(hidden.extendedDone == hidden.extendedSent, "seed \(seed)") }
            #expect(!open.answersHidden, "seed \(seed)")
        }
    }
}
