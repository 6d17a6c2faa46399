// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What the server is asked when the client's requests are answered.
enum SessionQuestion: Equatable {
    /// An empty query: its answer shows whether the server owes the client another ReadyForQuery.
    case isFree
    /// What the client's transaction has left in the session.
    case whatIsLeft
    /// The same after a RESET, whose ReadyForQuery the client is waiting for.
    case whatWasReset
    /// To take the settings that the session began with, after a RESET. The client may be waiting for its ReadyForQuery.
    case restore(isAwaited: Bool)

    /// What the client's transaction has made of the channels that it listens to. The client may be waiting for its ReadyForQuery.
    case whatIsHeard(isAwaited: Bool)
    /// To take back a transaction that statement pooling does not allow; the client waits for its ReadyForQuery.
    case rollBack

    /// What the client is told then.
    static var openTransaction: [UInt8] {
        let fields = ErrorFields(
            severity: .error, code: .featureNotSupported,
            message: "transaction blocks not allowed in statement pooling mode",
            detail: "What it has done was rolled back.")
        var message: [UInt8] = []
        fields.encode(into: &message)
        return message
    }

    /// The client waits for a ReadyForQuery that is kept back.
    var isAwaited: Bool {
        switch self {
        case .whatWasReset, .rollBack, .restore(isAwaited: true), .whatIsHeard(isAwaited: true): true
        case .isFree, .whatIsLeft, .restore, .whatIsHeard: false
        }
    }
}
