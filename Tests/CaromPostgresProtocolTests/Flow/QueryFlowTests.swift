// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromTestSupport
import Testing

@Suite struct CapturedFlowTests {
    @Test(arguments: capturedFlows + capturedRandomFlows + caseFlows)
    func aRecordedConversationEndsSynchronised(_ script: FlowScript) throws {
        var flow = QueryFlow()
        for step in script.steps { try flow.play(step) }
        #expect(flow.outstandingReady == 0 && !flow.awaitsServer && flow.copyState == .none)
        #expect(flow.isFree || flow.needsProbe)
    }

    /// The server answers the same stream the same way however late we read it. So with answers delayed at
    /// random, no message may look like a violation, and the server may never look free while an answer is on
    /// its way.
    @Test(arguments: capturedFlows + capturedRandomFlows + caseFlows)
    func lateAnswersNeverMakeABusyServerLookFree(_ script: FlowScript) throws {
        var sends: [FlowScript.Step] = []
        var answers: [(step: FlowScript.Step, after: Int)] = []
        for step in script.steps {
            switch step {
            case .sent: sends.append(step)
            case .received: answers.append((step, after: sends.count))
            }
        }
        programs: for seed in 1...100 {
            var random = SeededRandom(seed: UInt64(seed))
            var flow = QueryFlow()
            var sent = 0
            var received = 0
            while sent < sends.count || received < answers.count {
                let mayReceive = received < answers.count && answers[received].after <= sent
                if flow.isFree { #expect(!mayReceive, "seed \(seed): free after \(sent) and \(received)") }
                if mayReceive, sent == sends.count || Bool.random(using: &random) {
                    try flow.play(answers[received].step)
                    received += 1
                } else {
                    // A client that had not seen the error would have broken the protocol: another story.
                    do throws(FlowError) { try flow.play(sends[sent]) } catch {
                        #expect(error.isClientFault, "seed \(seed)")
                        continue programs
                    }
                    sent += 1
                }
            }
            // Giving up is allowed: what was seen in time when it was recorded may be a riddle when it is late.
            if flow.isLost { continue }
            #expect(flow.outstandingReady == 0 && !flow.awaitsServer, "seed \(seed)")
            #expect(flow.isFree || flow.needsProbe, "seed \(seed)")
        }
    }
}

@Suite struct QueryFlowTests {
    @Test func aFreshServerIsFree() {
        #expect(QueryFlow().isFree)
        #expect(!QueryFlow(transactionStatus: .inTransaction).isFree)
        #expect(QueryFlow(transactionStatus: .failed).isSynchronized)
    }

    /// One line of the specification: after this much of a conversation, this holds.
    @Test(arguments: [
        // Simple protocol.
        (">Q", "busy"), (">Q <T <D", "busy"), (">Q <T <D <C", "busy"), (">Q <T <D <C <ZI", "free"),
        (">Q <C <ZT", "open"), (">Q <E <ZE", "open"), (">Q <C <ZT >Q <C <ZI", "free"),
        (">Q >Q <C <ZI", "busy"), (">Q >Q <C <ZI <C <ZI", "free"), (">Q <N <S <A <C <ZI", "free"),
        // Asynchronous messages change nothing.
        ("<N <S <A", "free"),
        // Extended protocol.
        (">P", "busy"), (">P >H <1", "busy"), (">P >B >E >H <1 <2 <D <C", "busy"),
        (">P >B >E >H <1 <2 <D <C >S", "busy"), (">P >B >E >H <1 <2 <D <C >S <ZI", "free"),
        (">P >B >E >S <1 <2 <D <C <ZI", "free"), (">P >B >E >S >P >S <1 <2 <C <ZI", "busy"),
        (">P >B >E >S >P >S <1 <2 <C <ZI <1 <ZI", "free"), (">P >B >E >S >P <1 <2 <C <ZI", "busy"),
        // Errors in a batch discard to the next Sync, Query and FunctionCall included.
        (">P >E >Q <E", "busy"), (">P >E >Q >F <E >S <ZI", "free"), (">P <E >Q >P >B", "busy"),
        (">P <E >Q >P >B >S <ZI", "free"), (">P >S >P >S <E <ZI", "busy"),
        (">P >S >P >S <E <ZI <1 <ZI", "free"),
        (">P >B >Q >S <1 <E <ZI", "free"), (">P >B >Q >S <1 <2 <E <ZI", "busy"),
        (">P >B >Q >S <1 <2 <E <ZI <ZI", "free"),
        // COPY.
        (">Q <G", "data"), (">Q <G >d", "data"), (">Q <G >d >c", "busy"), (">Q <G >d >c <C <ZI", "free"),
        (">Q <G >d <E", "busy"), (">Q <G >d <E >d >c", "busy"), (">Q <G >d <E <ZI >d >d >c", "free"),
        (">Q <G >d <E >c <ZI", "free"), (">Q <H <d", "busy"), (">Q <H <d <c", "busy"),
        (">Q <H <d <c <C <ZI", "free"), (">Q <H <d <E <ZI", "free"), (">Q <W <d >d", "data"),
        (">Q <W <d >c", "busy"), (">Q <W <d >c <d <c <C <C <ZI", "free"), (">Q <W <c", "data"),
        (">Q <W <c >c <C <ZI", "free"), (">P >B >E >H <1 <2 <G >d >c", "busy"),
        (">P >B >E >H <1 <2 <G >d >c <C", "busy"), (">P >B >E >H <1 <2 <G >d >c <C >S <ZI", "free"),
        // A Sync sent before the server asked for data is swallowed; another must follow.
        (">P >B >E >S <1 <2 <G", "data"), (">P >B >E >S <1 <2 <G >c <C", "busy"),
        (">P >B >E >S <1 <2 <G >c >S <C <ZI", "free"),
        // An error right after: nobody knows whether it was swallowed.
        (">P >B >E >S <1 <2 <G <E >S <ZI", "probe"), (">P >B >E >S <1 <2 <G <E >S <ZI <ZI", "free"),
        (">P >B >E >S <1 <2 <G <E <ZI >S <ZI", "free"), (">P >B >E >S <1 <2 <G <E >S <ZI >Q", "busy"),
        (">P >B >E >S <1 <2 <G <E >S <ZI >Q <I", "busy"),
        (">P >B >E >S <1 <2 <G <E >S <ZI >Q <I <ZI", "free"),
        (">P >B >E >S <1 <2 <G <E >S <ZI >Q <ZI <I <ZI", "free"),
        (">P >B >E >S <1 <2 <G <E >S <ZI >P >S <1 <ZI", "free"),
        // Others.
        (">F <V", "busy"), (">F <V <ZI", "free"), (">X", "gone"), ("<E", "gone"), (">S", "busy"),
        (">S <E <ZI", "free"),
        (">d >c >f", "free"), (">H", "free"),
    ])
    func aServerIsFreeOnlyWhenNothingIsUnderWay(_ line: String, _ expected: String) throws {
        let flow = try FlowScript.play(line)
        #expect(flow.isFree == (expected == "free"))
        #expect(flow.isSynchronized == (expected == "free" || expected == "open"))
        #expect(flow.awaitsClientData == (expected == "data"))
        #expect(flow.needsProbe == (expected == "probe"))
    }

    @Test(arguments: [
        ("", "<ZI", FlowError.unexpectedReadyForQuery), (">Q <C <ZI", "<ZI", .unexpectedReadyForQuery),
        (">P", "<ZI", .unexpectedReadyForQuery), (">P >S", "<ZI", .unexpectedReadyForQuery),
        (">Q <C", "<ZX", .unexpectedReadyForQuery), ("", "<D", .unexpectedServerMessage(.dataRow)),
        ("", "<C", .unexpectedServerMessage(.commandComplete)),
        (">S", "<C", .unexpectedServerMessage(.commandComplete)),
        (">Q", "<1", .unexpectedServerMessage(.parseComplete)),
        (">Q", "<t", .unexpectedServerMessage(.parameterDescription)),
        (">Q", "<d", .unexpectedServerMessage(.copyData)),
        (">Q <G", "<d", .unexpectedServerMessage(.copyData)),
        (">Q", "<c", .unexpectedServerMessage(.copyDone)),
        (">P", "<V", .unexpectedServerMessage(.functionCallResponse)),
        ("", "<G", .unexpectedServerMessage(.copyInResponse)),
        (">Q", "<R", .unexpectedServerMessage(.authentication)),
        (">Q", "<K", .unexpectedServerMessage(.backendKeyData)),
        (">Q", "<v", .unexpectedServerMessage(.negotiateProtocolVersion)),
        (">Q", "<!", .unknownServerMessage(0x21)), ("", ">!", .unknownClientMessage(0x21)),
        ("", ">p", .passwordAfterAuthentication), (">X", ">Q", .clientMessageAfterTerminate(.query)),
        (">Q <G", ">Q", .clientMessageDuringCopy(.query)), (">Q <G", ">P", .clientMessageDuringCopy(.parse)),
        (">Q <G", ">F", .clientMessageDuringCopy(.functionCall)),
        (">Q <W", ">B", .clientMessageDuringCopy(.bind)),
    ])
    func aMessageOutOfPlaceIsAnError(_ before: String, _ last: String, _ error: FlowError) throws {
        var flow = try FlowScript.play(before)
        let unchanged = flow
        #expect(throws: error) { try flow.play(FlowScript("", last).steps[0]) }
        #expect(flow == unchanged)
        #expect(error.isClientFault == last.hasPrefix(">"))
        #expect(error.sqlState == .protocolViolation && !error.description.isEmpty)
    }

    @Test(arguments: [
        ("", "d", QueryFlow.Disposition.ignored), ("", "c", .ignored), ("", "f", .ignored),
        (">Q", "d", .processed),
        (">Q <G", "d", .processed), (">Q <G", "c", .processed), (">Q <G", "S", .ignored),
        (">Q <G", "H", .ignored),
        (">P <E", "Q", .ignored), (">P <E", "B", .ignored), (">P <E", "S", .processed), ("", "X", .processed),
    ])
    func whatTheServerWillIgnoreIsKnown(_ before: String, _ tag: String, _ expected: QueryFlow.Disposition)
        throws
    {
        var flow = try FlowScript.play(before)
        #expect(try flow.sent(utf8(tag)[0]) == expected)
    }

    /// A Sync sent into a COPY that fails may be swallowed or not, and what stands behind it may be discarded or not.
    @Test(arguments: [
        ">P >B >E >S >c >P >B >E >S <1 <2 <G <E", ">P >B >E >S <1 <2 <G <E >P", ">P >B >E >S <1 <2 <G <E >Q",
        ">P >B >E >S >d >P >S <1 <2 <G <E",
    ])
    func aServerThatCannotBeFollowedIsNeverFreeAgain(_ line: String) throws {
        var flow = try FlowScript.play(line)
        #expect(flow.isLost && !flow.isCertain)
        // Either way of going on is passed through without blaming anybody.
        for rest in [">S <ZI <1 <2 <C <ZI", ">S <ZI <ZI", "<ZI <ZI <ZI <D <d <c"] {
            flow = try FlowScript.play(rest, on: flow)
            #expect(!flow.isFree && !flow.isSynchronized && !flow.needsProbe)
        }
    }

    @Test func outstandingReadyCountsQueriesSyncsAndCalls() throws {
        var flow = try FlowScript.play(">Q >P >S >F >S")
        #expect(flow.outstandingReady == 4)
        flow = try FlowScript.play("<C <ZI <E", on: flow)
        #expect(flow.outstandingReady == 3)
        flow = try FlowScript.play("<ZI <V <ZI <ZI", on: flow)
        #expect(flow.outstandingReady == 0 && flow.isFree)
    }

    @Test func aDeepPipelineIsAnsweredInOrder() throws {
        var flow = QueryFlow()
        for _ in 0..<1000 { flow = try FlowScript.play(">P >B >E >S >Q", on: flow) }
        #expect(flow.outstandingReady == 2000)
        for round in 0..<1000 {
            flow = try FlowScript.play("<1 <2 <C <ZI", on: flow)
            #expect(!flow.isFree)
            flow = try FlowScript.play("<C <ZI", on: flow)
            #expect(flow.isFree == (round == 999))
        }
        #expect(flow.isFree && !flow.awaitsServer)
        #expect(flow.extendedSent == 3000 && flow.extendedDone == 3000)
    }

    @Test(arguments: 1...500)
    func anyMessagesAtAllNeitherTrapNorCorruptTheCount(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var flow = QueryFlow()
        for _ in 0..<200 {
            if Bool.random(using: &random) {
                _ = try? flow.sent(
                    FrontendTag.allCases.filter { $0 != .terminate }.randomElement(using: &random)!)
            } else {
                let status = TransactionStatus.allCases.randomElement(using: &random)!
                let tag = BackendTag.allCases.randomElement(using: &random)!
                try? flow.received(tag.rawValue, firstBodyByte: status.rawValue)
            }
            #expect(flow.outstandingReady >= 0, "seed \(seed)")
            if flow.isSynchronized {
                #expect(flow.outstandingReady == 0 && !flow.awaitsServer, "seed \(seed)")
            }
        }
    }
}
