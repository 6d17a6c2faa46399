// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// First byte of every message a client sends after start-up (PostgreSQL protocol 3, chapter "Message
/// Formats").
package enum FrontendTag: UInt8, CaseIterable, Sendable {
    /// `B`
    case bind = 0x42
    /// `C`
    case close = 0x43
    /// `d`
    case copyData = 0x64
    /// `c`
    case copyDone = 0x63
    /// `f`
    case copyFail = 0x66
    /// `D`
    case describe = 0x44
    /// `E`
    case execute = 0x45
    /// `H`
    case flush = 0x48
    /// `F`
    case functionCall = 0x46
    /// `P`
    case parse = 0x50
    /// `p`: PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse share it.
    case password = 0x70
    /// `Q`
    case query = 0x51
    /// `S`
    case sync = 0x53
    /// `X`
    case terminate = 0x58
}

extension FrontendTag {
    /// What a message means when it arrives and nothing at all is under way, so no server is needed to tell.
    package enum IdleMeaning: Equatable, Sendable {
        /// Needs a server: Query, FunctionCall and the extended protocol.
        case startsWork
        /// PostgreSQL skips it: leftovers of a COPY that failed, and Flush.
        case ignored
        /// A lone Sync: the answer is ReadyForQuery with idle status.
        case answersReady
        /// The client leaves.
        case terminates
        /// Not allowed after authentication: FATAL 08P01.
        case violation
    }

    /// What this message means to a session that is idle outside a transaction.
    package var idleMeaning: IdleMeaning {
        switch self {
        case .bind, .close, .describe, .execute, .functionCall, .parse, .query: .startsWork
        case .copyData, .copyDone, .copyFail, .flush: .ignored
        case .sync: .answersReady
        case .terminate: .terminates
        case .password: .violation
        }
    }
}
