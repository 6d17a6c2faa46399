// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Replies to queries of the holder's own, which its client must not see.
struct OwnReplies: Sendable {
    /// How many are still to end.
    private(set) var count = 0
    /// They bring the session to another client: notifications among them are not for it.
    private var areBetweenClients = false
    /// The first error in one of them.
    private var error: ServerState.SuppressedError?
    /// The rows of a reply to a ``SessionInquiry``, while one is under way.
    private var inquiry: [UInt8]?

    /// A query has been sent.
    mutating func expect() {
        count += 1
        areBetweenClients = false
    }

    /// One of them is over.
    mutating func end() { count -= 1 }

    /// The session is another user's from now on.
    mutating func adopt() { areBetweenClients = count > 0 }

    /// The query that was sent last is a ``SessionInquiry``.
    mutating func expectInquiry() { inquiry = [] }

    /// Takes the rows that the inquiry has brought.
    mutating func takeInquiry() -> [UInt8]? { inquiry.take() }

    /// Takes the first error.
    mutating func takeError() -> ServerState.SuppressedError? { error.take() }

    /// An error has come.
    mutating func failed(_ fields: ErrorFields) {
        if error == nil { error = ServerState.SuppressedError(fields: fields, repliesLeft: count) }
    }

    /// Whether a message that comes while any is under way belongs to them.
    ///
    /// A ReadyForQuery that ends no request is the client's, though the reply to a question of our own is awaited behind it. So is a
    /// notification that comes meanwhile.
    func include(_ tag: UInt8, _ flow: borrowing QueryFlow) -> Bool {
        if tag == BackendTag.notificationResponse.rawValue { return areBetweenClients }
        return tag != BackendTag.readyForQuery.rawValue || flow.readyEndsRequest
    }

    /// Notes what is wanted of a message, or of a part of it.
    mutating func read(_ tag: UInt8, _ bytes: RawSpan) {
        guard inquiry != nil, tag == BackendTag.dataRow.rawValue else { return }
        bytes.withUnsafeBytes { inquiry?.append(contentsOf: $0) }
    }
}
