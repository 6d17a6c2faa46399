// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

/// What is known about a server's session, without a server.
@Suite struct ServerStateTests {
    // MARK: Readiness

    @Test func aFreshSessionIsIdle() {
        var state = ServerState()
        expect(&state, is: .idle)
    }

    @Test func aSessionIsBusyUntilItHasAnswered() throws {
        var state = ServerState()
        try state.send(.query)
        expect(&state, is: .busy)
        _ = state.receive(Self.complete("SELECT 1").span.bytes, limits: .server())
        expect(&state, is: .busy)
        let received = state.receive(Self.ready(.idle).span.bytes, limits: .server())
        #expect(received.completed == 1 && received.transactions == 1)
        expect(&state, is: .idle)
    }

    @Test func anOpenTransactionIsBusy() throws {
        var state = ServerState()
        try state.send(.query)
        _ = state.receive((Self.complete("BEGIN") + Self.ready(.inTransaction)).span.bytes, limits: .server())
        expect(&state, is: .busy)
    }

    @Test func aSessionThatMustBeResetIsDirtyUntilItWas() {
        var state = ServerState()
        state.adopt(by: 7)
        state.requireReset()
        expect(&state, is: .dirty)
        state.didReset()
        expect(&state, is: .idle)
        let user = state.lastUser
        #expect(user == 0)
    }

    @Test func afterAFailureASessionIsNeverUsedAgain() {
        var state = ServerState()
        state.fail(PostgresError(.connection, "first"))
        state.fail(PostgresError(.connection, "second"))
        expect(&state, is: .unusable(.failed))
        let message = state.failure?.message
        #expect(message == "first", "the first cause counts")
    }

    @Test func insideAMessageToTheServerASessionCannotBeGivenOn() {
        var state = ServerState()
        state.setSendingMessage(true)
        expect(&state, is: .unusable(.insideMessage))
    }

    // MARK: Replies that are suppressed

    @Test func aSuppressedReplyIsNotVisible() throws {
        var state = ServerState()
        try state.sendSuppressed()
        let bytes = Self.complete("SET") + Self.ready(.idle)
        let received = state.receive(bytes.span.bytes, limits: .server())
        #expect(received.visible.isEmpty)
        #expect(received.completed == 0)
        expect(&state, is: .idle)
    }

    @Test func theErrorInASuppressedReplySaysWhichRequestFailed() throws {
        var state = ServerState()
        try state.sendSuppressed()
        try state.sendSuppressed()
        let bytes = Self.error(.error) + Self.ready(.idle) + Self.complete("SET") + Self.ready(.idle)
        _ = state.receive(bytes.span.bytes, limits: .server())
        let error = state.takeSuppressedError()
        #expect(error?.repliesLeft == 2)
        let again = state.takeSuppressedError()
        #expect(again == nil)
    }

    @Test func whatALastingStatementLeavesIsSeenByItsTag() throws {
        for (tag, isLasting) in [("SET", true), ("PREPARE", true), ("LISTEN", true), ("SELECT 1", false)] {
            var state = ServerState()
            try state.send(.query)
            _ = state.receive((Self.complete(tag) + Self.ready(.idle)).span.bytes, limits: .server())
            let isNoticed = state.hasLastingEffect
            #expect(isNoticed == isLasting, "\(tag)")
        }
    }

    @Test func aVisibleFatalIsTheServersGoodbye() throws {
        for (severity, isGoodbye) in [(ErrorFields.Severity.error, false), (.fatal, true), (.panic, true)] {
            var state = ServerState()
            try state.send(.query)
            _ = state.receive(Self.error(severity).span.bytes, limits: .server())
            let said = state.hasSaidGoodbye
            #expect(said == isGoodbye, "\(severity)")
        }
    }

    @Test func aRefusedWriteIsNoticed() throws {
        for (code, isNoticed) in [("25006", true), ("25001", false)] {
            var state = ServerState()
            try state.send(.query)
            var bytes: [UInt8] = []
            ErrorFields(severity: .error, code: SQLState(code)!, message: "no").encode(into: &bytes)
            let received = state.receive(bytes.span.bytes, limits: .server())
            #expect(received.refusesWrites == isNoticed, "\(code)")
        }
    }

    @Test func theServersOwnWordIsTheReasonEvenBehindAWriteThatFailed() throws {
        var state = ServerState()
        try state.send(.query)
        state.fail(PostgresError(.connection, "write to it: Broken pipe"))
        _ = state.receive(Self.error(.fatal).span.bytes, limits: .server())
        let (said, code) = (state.hasSaidGoodbye, state.failure?.code)
        #expect(said && code == .server)
        state.fail(PostgresError(.connection, "read from it: Connection reset by peer"))
        let last = state.failure?.code
        #expect(last == .server)
    }

    // MARK: Roles

    @Test func aPromotionChangesTheVersionOfTheRoleOnce() {
        var state = ServerState()
        state.report(ParameterStatus(name: "in_hot_standby", value: "on"))
        let before = state.role.version
        state.report(ParameterStatus(name: "in_hot_standby", value: "on"))
        state.report(ParameterStatus(name: "TimeZone", value: "UTC"))
        let unchanged = state.role.version
        #expect(unchanged == before)
        // The server says it by itself, while nothing is asked.
        let received = state.receive(Self.status("in_hot_standby", "off").span.bytes, limits: .server())
        #expect(received.parametersChanged)
        let after = state.role.version
        #expect(after != before)
    }

    @Test func onlyWhatNobodySetInTheSessionSaysThatAServerIsReadOnly() {
        let name = "default_transaction_read_only"
        var state = ServerState()
        state.report(ParameterStatus(name: name, value: "off"))
        state.didLogIn(.idle)
        var set = SettingValues()
        set.set(name, to: "on")
        state.apply(set)
        state.report(ParameterStatus(name: name, value: "on"))
        state.believeReports()
        let ofTheClient = state.role.isReadOnlyByDefault
        #expect(!ofTheClient)
        state.apply(SettingValues())
        let before = state.role.version
        state.believeReports()
        let ofTheServer = state.role.isReadOnlyByDefault
        let after = state.role.version
        #expect(ofTheServer && after != before)
    }

    // MARK: Messages

    private static func ready(_ status: TransactionStatus) -> [UInt8] {
        var bytes: [UInt8] = []
        ReadyForQuery(status: status).encode(into: &bytes)
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

    private static func error(_ severity: ErrorFields.Severity) -> [UInt8] {
        var bytes: [UInt8] = []
        ErrorFields(severity: severity, code: .adminShutdown, message: "no").encode(into: &bytes)
        return bytes
    }
}

/// A macro cannot look into a noncopyable value.
private func expect(
    _ state: inout ServerState, is readiness: ServerState.Readiness,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = state.readiness
    #expect(found == readiness, sourceLocation: sourceLocation)
}
