// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The queries of the pooler's own that go to a server before a client's bytes: a reset, and the client's settings.
struct Prelude {
    /// Takes everything out of a session.
    private let reset: ResetQuery
    /// The last of them carries the client's settings.
    private var hasSettings = false

    init(reset: ResetQuery) { self.reset = reset }

    /// Adds what brings the server's session to these settings of a user's.
    ///
    /// - Parameter isAsking: the server is asked even if its session needs nothing.
    mutating func ask(
        for wishes: SettingValues, of user: UInt64, _ server: inout ServerState, _ rule: CleaningRule,
        isAsking: Bool, _ counters: Counters, _ out: inout Segments
    ) {
        // That of a command in passing.
        _ = server.takeSuppressedError()
        if server.lastUser != 0, server.lastUser != user {
            server.hasForeignSequences = true
            rule.clean(&server, by: reset, counters, &out)
        }
        var statements: [UInt8] = []
        hasSettings = wishes.appendStatements(from: server.applied, into: &statements) > 0
        if hasSettings {
            OwnQuery.ask(statements, &server, &out)
            server.apply(wishes)
            counters.count(.settings)
        } else if isAsking {
            OwnQuery.ask([], &server, &out)
        }
    }

    /// One of them has failed.
    func failed(_ error: ServerState.SuppressedError, _ server: inout ServerState, _ counters: Counters)
        -> ServerStep.Next
    {
        // Which of the settings it has now is not known.
        server.requireReset()
        // The settings go last: an earlier error is that of the reset.
        if !hasSettings || error.repliesLeft > 1 {
            counters.count(.failedReset)
            return .replace("the server could not be reset: \(error.fields.message ?? "no reason given")")
        }
        return .refuse(error.fields.fatal(.invalidParameterValue))
    }
}
