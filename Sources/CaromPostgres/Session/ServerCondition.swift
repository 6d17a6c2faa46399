// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

extension ServerState {
    /// What can be done with the session now.
    package enum Readiness: Equatable, Sendable {
        /// It stands between two transactions and owes nothing: anybody may have it.
        case idle
        /// Likewise, but it must be reset before anybody but its last user has it.
        case dirty
        /// A transaction is open, or answers are owed, or bytes are unread.
        case busy
        /// It would be idle but for a ReadyForQuery that may or may not come; the answer to an empty query shows it.
        case indeterminate
        /// It cannot be used again.
        case unusable(Unusable)
    }

    /// Why a session cannot be used again.
    package enum Unusable: Equatable, Sendable {
        /// The connection failed or the server broke the protocol; see ``ServerState/failure``.
        case failed
        /// A client pipelined in a way that leaves open what the server still has to answer.
        case lost
        /// A client left in the middle of a message.
        case insideMessage
    }

    /// Answers that the client waits for, each of which ends with ReadyForQuery.
    package var owedReplies: Int { flow.outstandingReady - suppressedReplies }

    /// Answers are on their way to a client that sends nothing more, and the server does not wait for it.
    ///
    /// - Parameter stream: where the client's stream has ended; what it ends in has no answer.
    package func owesClient(behind stream: borrowing FrameWalker) -> Bool {
        if flow.awaitsClientData || flow.isLost { return false }
        let tag = stream.tag
        let isRequest = tag == FrontendTag.query.rawValue || tag == FrontendTag.functionCall.rawValue
        let unanswered = !stream.isAtBorder && isRequest ? 1 : 0
        return owedReplies > unanswered || flow.extendedDone < flow.flushedThrough
    }

    /// The mark of settings that nobody knows.
    package static let noMark = -1

    /// What a user may have left in the session.
    package enum Taint: Comparable, Sendable {
        case none
        /// Settings, locks, temporary tables, cursors: everything but prepared statements.
        case state
        /// Anything at all.
        case everything
    }

    /// An error in a reply that was suppressed.
    package struct SuppressedError: Sendable {
        /// What the server said.
        package let fields: ErrorFields
        /// How many replies, this one included, were still to come: it tells which request failed.
        package let repliesLeft: Int
    }

    /// `on` at a standby, `off` at a primary; reported from PostgreSQL 14 on.
    package static let roleParameter = "in_hot_standby"
    /// Who the session is; right after the login, who logged in.
    static let userParameter = "session_authorization"
}
