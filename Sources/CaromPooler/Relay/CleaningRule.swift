// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// When a server must be reset before this client uses it.
struct CleaningRule: Equatable {
    /// Whenever it served another client before.
    var onEveryChange = false
    /// When another client left something in its session.
    var ifTainted = true

    /// Asks for what takes another client's traces out of the session.
    ///
    /// - Parameter query: takes everything out.
    func clean(
        _ server: inout ServerState, by query: ResetQuery, _ counters: Counters, _ out: inout Segments
    ) {
        if onEveryChange || (ifTainted && server.taint == .everything) {
            OwnQuery.ask(Array(query.text.utf8), &server, &out)
            server.didReset(by: query)
            counters.count(.fullReset)
        } else if ifTainted, server.taint == .state {
            OwnQuery.ask(Array(SessionReset.statements(server.reported).utf8), &server, &out)
            server.didResetState()
            counters.count(.softReset)
        }
    }
}
