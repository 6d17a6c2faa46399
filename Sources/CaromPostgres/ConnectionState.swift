// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
package import CaromTCP

/// What is known about one server connection; used by whoever holds it.
package struct ConnectionState {
    /// What the server still owes, and whether it is in a transaction.
    package var flow = QueryFlow()
    /// The session's parameters as the server has them now.
    package var parameters = SessionParameters(.pooled)
    /// Bytes that were read and not yet understood: an incomplete message. Empty while the connection is idle.
    package var input: [UInt8] = []
    /// Where the stream from the server stands.
    package var walker = FrameWalker()
    /// Where the stream to the server stands: inside a message that is forwarded in pieces, or at a border.
    package var isSendingMessage = false
    /// Bytes that the server has not taken yet.
    package var output = OutputQueue()

    /// Replies that the client did not ask for and must not see: to what was put in front of its own request.
    package var hiddenReplies = 0
    /// The error in one of them, if there was one.
    package var hiddenError: ErrorFields?

    /// Who used the connection last: a number that the front end gives its clients. 0 for nobody.
    package var owner: UInt64 = 0
    /// The owner changed something in the session that reported parameters do not show.
    package var isTainted = false
    /// The session must be reset before anybody else uses it.
    package var needsReset = false
    /// Why the connection cannot be used again, once that is known.
    package var failure: PostgresError? {
        didSet { hasFailed = failure != nil }
    }

    /// There is a ``failure``: asked for every transaction.
    package private(set) var hasFailed = false
}
