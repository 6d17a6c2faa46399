// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Which messages one direction of a stream may hold, how long they may be, and which are never handed out in
/// pieces.
///
/// The same limits serve every connection of a route, so they are passed to `FrameWalker.next` and not kept in
/// it.
package struct FrameLimits: Equatable, Sendable {
    /// Types of this direction; anything else ends the stream.
    package var known: TagSet
    /// Short by nature and never handed out in pieces. Longer than `smallLimit` ends the stream.
    package var small: TagSet
    /// In bytes of the length word, as PostgreSQL counts.
    package var smallLimit: Int
    /// Never handed out in pieces unless longer than `heldLimit`; then they stream like any other.
    package var held: TagSet
    /// Bytes a connection may have to keep for one message.
    package var heldLimit: Int
    /// Types of which neighbours are handed out together.
    package var runs: TagSet
    /// Longer than this ends the stream.
    package var largest: Int

    /// What a server sends. DataRow, CopyData, RowDescription and long results stream; what decides something
    /// is whole.
    package static func server(
        holding held: [BackendTag] = [.errorResponse, .noticeResponse, .notificationResponse],
        heldLimit: Int = 256 * 1024,
        largest: Int = Framing.messageLimit
    ) -> FrameLimits {
        FrameLimits(
            known: TagSet(BackendTag.allCases),
            small: TagSet(
                [
                    .authentication, .backendKeyData, .bindComplete, .closeComplete, .commandComplete,
                    .copyDone,
                    .copyInResponse, .copyOutResponse, .copyBothResponse, .emptyQueryResponse,
                    .negotiateProtocolVersion, .noData, .parameterStatus, .parseComplete, .portalSuspended,
                    .readyForQuery,
                ] as [BackendTag]),
            // libpq's limit for these; PostgreSQL itself never comes near.
            smallLimit: 30_000,
            held: TagSet(held), heldLimit: heldLimit,
            runs: TagSet([.dataRow, .copyData] as [BackendTag]), largest: largest)
    }

    /// What a client sends after authentication. `held` are the long types that must be whole all the same,
    /// for instance Parse and Bind where statements are renamed.
    package static func client(
        holding held: [FrontendTag] = [], heldLimit: Int = 256 * 1024, largest: Int = Framing.messageLimit
    ) -> FrameLimits {
        FrameLimits(
            known: TagSet(FrontendTag.allCases),
            small: TagSet(
                [.close, .copyDone, .copyFail, .describe, .execute, .flush, .sync, .terminate, .password]
                    as [FrontendTag]),
            smallLimit: 10_000,
            held: TagSet(held), heldLimit: heldLimit,
            runs: TagSet([.copyData] as [FrontendTag]), largest: largest)
    }
}
