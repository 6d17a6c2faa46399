// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

private func columns(_ names: String..., type: UInt32 = 23, table: UInt32 = 7) -> [UInt8] {
    var bytes: [UInt8] = []
    RowDescription(columns: names.map { .init($0, type: type, table: table, format: .binary) })
        .encode(into: &bytes)
    return bytes
}

private func parameters(_ types: UInt32...) -> [UInt8] {
    var bytes: [UInt8] = []
    ParameterDescription(types: types).encode(into: &bytes)
    return bytes
}

private func message(_ tag: BackendTag) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.appendEmptyMessage(tag.rawValue)
    return bytes
}

private let noData = message(.noData)
private let parsed = message(.parseComplete)
private let bound = message(.bindComplete)

/// A server's session whose descriptions are wanted.
private struct Listener: ~Copyable {
    var state = ServerState()
    var visible: [UInt8] = []
    var answers: [ServerDescriptions.Answer] = []

    /// `h` is a message of the pooler's own; behind `*` the answer is wanted.
    mutating func send(_ tags: String) throws {
        for tag in tags.utf8 {
            switch tag {
            case UInt8(ascii: "h"): state.sendHidden()
            case UInt8(ascii: "*"): state.statements.descriptions.want(state.flow.extendedSent)
            default: try state.send(tag)
            }
        }
    }

    /// The bytes come in reads of this size.
    mutating func hear(_ bytes: [UInt8], by size: Int = .max) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            var chunk = state.unread + bytes.prefix(size)
            bytes = bytes.dropFirst(size)
            state.unread = []
            while true {
                let received = state.receive(chunk.span.bytes, limits: .server(heldLimit: 16))
                visible += chunk[received.visible]
                let isOpen = state.statements.descriptions.hasAnswers
                if isOpen, received.isOrdinary { Issue.record("an answer came and nobody was told") }
                answers += state.statements.descriptions.take()
                chunk.removeFirst(received.consumed)
                if !received.hasMore { break }
            }
            state.unread = chunk
        }
    }
}

@Suite struct ServerDescriptionsTests {
    @Test func onlyTheAnswersThatAreWantedAreKept() throws {
        var listener = Listener()
        try listener.send("PDD*BD*D")
        listener.hear(
            parsed + parameters(23) + noData + parameters(25, 20) + columns("a") + bound + noData + noData)
        let answers = listener.answers
        #expect(answers.map(\.message) == [3, 5])
        #expect(answers.map(\.types) == [[0, 2, 0, 0, 0, 25, 0, 0, 0, 20], []])
        let isWanted = listener.state.statements.descriptions.isWanted
        #expect(!isWanted)
    }

    @Test func rowsAreTheSameWhateverTableAndFormatTheyHave() throws {
        var listener = Listener()
        try listener.send("D*D*D*D*D*D*")
        var text: [UInt8] = []
        RowDescription(columns: [.init("a", type: 23)]).encode(into: &text)
        listener.hear(
            columns("a") + columns("a", table: 9) + text + columns("b") + columns("a", type: 20) + noData)
        let rows = listener.answers.map(\.rows)
        #expect(rows[0] == rows[1] && rows[1] == rows[2])
        #expect(Set(rows).count == 4 && !rows.contains(0))
    }

    @Test(arguments: [1, 7, 20, 100, 4000])
    func whatComesInPiecesIsReadAndHiddenAsAWhole(_ size: Int) throws {
        var listener = Listener()
        try listener.send("BhhD*h*BE")
        let names = (0..<40).map { "column\($0)" }
        var wide: [UInt8] = []
        RowDescription(columns: names.map { .init($0, type: 25) }).encode(into: &wide)
        listener.hear(
            bound + parsed + parsed + parameters(23) + wide + parameters(23) + wide + bound, by: size)
        let answers = listener.answers
        #expect(answers.map(\.message) == [4, 5])
        #expect(answers.first?.rows == answers.last?.rows)
        let seen = listener.visible == bound + parameters(23) + wide + bound
        #expect(seen)
    }

    @Test func aDescribeThatFailsHasNoAnswer() throws {
        var listener = Listener()
        try listener.send("D*D*S")
        var error: [UInt8] = []
        ErrorFields(severity: .error, code: .syntaxError, message: "no").encode(into: &error)
        var ready: [UInt8] = []
        ReadyForQuery(status: .idle).encode(into: &ready)
        listener.hear(error + ready)
        try listener.send("D*")
        listener.hear(noData)
        let answers = listener.answers
        #expect(answers.map(\.message) == [3])
    }

    @Test func aCopyThatCameLaterWasNotDescribed() throws {
        var statements = ServerStatements()
        var flow = QueryFlow()
        flow.sentHidden()
        statements.didParse(1, at: 1, types: 5, flow)
        flow.sentHidden()
        let describe = flow.extendedSent
        flow.sentHidden()
        statements.didParse(1, at: 2, types: 6, flow)
        statements.wasDescribed(1, by: describe, types: 5, rows: 9)
        #expect(statements.rows(of: 1) == 0)
        statements.wasDescribed(1, by: flow.extendedSent + 1, types: 6, rows: 9)
        #expect(statements.rows(of: 1) == 9)
        let kept = statements.prepare(1, parsedAt: 2, isOwnParse: false, types: 6, limit: 9, flow)
        let other = statements.prepare(1, parsedAt: 2, isOwnParse: false, types: 5, limit: 9, flow)
        #expect(!kept.parses && other.parses && other.closesFirst)
    }
}
