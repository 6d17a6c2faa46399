// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

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

    /// The client waits for the ReadyForQuery of its RESET.
    var isAwaited: Bool {
        switch self {
        case .whatWasReset, .restore(isAwaited: true): true
        case .isFree, .whatIsLeft, .restore: false
        }
    }
}
