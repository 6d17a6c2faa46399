// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// What a relay has of its client between two transactions: all that another relay, here or in another process, needs to go on.
struct RelayRecord: Equatable, Sendable {
    /// What the client has sent and waits for the rest of.
    var input: [UInt8] = []
    /// The kind of server that it has chosen.
    var choice: TargetSessionAttributes?
    var session = SessionRecord()
    /// A server has accepted its settings.
    var isConfirmed = false
    var statements: [StatementRecord] = []
}

extension RelayRecord {
    /// Of a relay that is at rest; nil of one that is not: the client holds a server or waits for one, has sent the beginning of
    /// something that is passed on, has not taken what it was sent, or is about to leave.
    init?(_ machine: borrowing RelayMachine, _ client: borrowing ClientLeg, _ leg: borrowing ServerLeg) {
        guard machine.phase == .detached, !machine.isEnding, machine.walker.isAtBorder,
            machine.skipping == .nothing, client.isAtRest, !leg.isAttached, !leg.isWaiting,
            machine.requests.channels?.isEmpty != false
        else { return nil }
        input = client.input
        choice = leg.choice
        session = machine.book.record
        isConfirmed = machine.isConfirmed
        statements = machine.requests.records
    }
}
