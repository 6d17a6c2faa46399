// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres

/// What is done for the clients of a route, most of it so that those who share servers find their own sessions there, and is counted.
enum SessionEvent: Int, CaseIterable, Sendable {
    /// A server was asked what is in its session.
    case look
    /// A server was brought to the settings of its client.
    case settings

    /// A server was reset, but for its prepared statements.
    case softReset
    /// A server was reset by `DISCARD ALL`.
    case fullReset
    /// A server was made to forget the last values of sequences.
    case sequenceReset
    /// A server could not be reset.
    case failedReset

    // A client came to keep its server, for the sake of:
    case statementPin
    case cursorPin
    case channelPin
    case lockPin
    case temporaryPin
    /// what could not be found out.
    case unknownPin

    /// A client's own Parse was sent on.
    case clientParse
    /// A statement was parsed that a server lacked.
    case poolerParse
    /// A statement was used that the server had already.
    case reuse
    /// A Bind was sent on.
    case bind
    /// A server closed a statement to have room for another.
    case eviction
    /// A Parse was refused for want of memory.
    case refusal
    /// A client has logged in.
    case login

    // What has lasted too long:
    case queryTimeout
    case transactionTimeout
    case idleTransactionTimeout
    case clientIdleTimeout
    case cancelTimeout
    /// A transaction was refused in statement pooling.
    case refusedTransaction
    /// A client was told that it waits for a server.
    case waitNotice
    /// What a client had sent went to another server, because its own was lost before it had answered.
    case retry

    /// What keeps a server, the event of each, and the name of it in statistics.
    static let pins: [(state: KeptState, event: SessionEvent, name: String)] = [
        (.statements, .statementPin, "statements"), (.cursors, .cursorPin, "cursors"),
        (.channels, .channelPin, "channels"), (.locks, .lockPin, "locks"),
        (.temporary, .temporaryPin, "temporary_tables"), (.unknown, .unknownPin, "unknown"),
    ]

    /// The resets, and the names of their kinds in statistics.
    static let resets: [(event: SessionEvent, name: String)] = [
        (.softReset, "soft"), (.fullReset, "full"), (.sequenceReset, "sequences"),
    ]

    /// What has lasted too long, by the directives that say how long it may.
    static let timeouts: [(event: SessionEvent, name: String)] = [
        (.queryTimeout, "query_timeout"), (.transactionTimeout, "transaction_timeout"),
        (.idleTransactionTimeout, "idle_transaction_timeout"), (.clientIdleTimeout, "client_idle_timeout"),
        (.cancelTimeout, "cancel_timeout_ms"),
    ]

    /// Who had a statement parsed, by the names in statistics.
    static let parses: [(event: SessionEvent, name: String)] = [
        (.clientParse, "client"), (.poolerParse, "pooler"),
    ]
}
