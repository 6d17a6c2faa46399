// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Decides from both directions of the main phase when a server is free.
///
/// It is told every message sent to one server connection and every message received from it, by type only.
/// It counts what has to be answered the way PostgreSQL's main loop does (`src/backend/tcop/postgres.c`):
///
/// - Query and FunctionCall end with one ReadyForQuery each, and so does Sync.
/// - An error in an extended message makes the server discard everything, Query included, up to the next
///   Sync. An error in a Query does not.
/// - While it reads COPY data the server swallows Sync and Flush, and anything but COPY messages ends the
///   connection. Outside COPY it ignores CopyData, CopyDone and CopyFail.
///
/// One thing cannot be seen on the wire: whether a Sync that was sent into a COPY was swallowed before an error
/// ended the COPY, or is still to be answered. Then `isCertain` is false until the answer to a later request shows
/// it, and such a server is not free: send it an empty Query (`needsProbe`) or close it. Where not even later answers
/// can show it, the flow `isLost`.
///
/// The value is a few words and every step a few integer operations, without allocation unless a client
/// pipelines more than two alternating kinds of requests.
package struct QueryFlow: Equatable, Sendable {
    /// What the server does with COPY right now.
    package enum CopyState: Equatable, Sendable {
        /// No COPY.
        case none
        /// COPY FROM STDIN: the server reads data.
        case receiving
        /// COPY TO STDOUT: the server sends data.
        case sending
        /// Streaming replication: both.
        case both
    }

    /// The status of the last ReadyForQuery.
    package internal(set) var transactionStatus: TransactionStatus

    /// COPY, as far as the server's messages show it.
    package internal(set) var copyState: CopyState = .none

    /// ReadyForQuery messages that the server owes for sure.
    package var outstandingReady: Int { pendingReady - (isReadingCopy ? tentativeSyncs : 0) }

    /// Extended messages were sent and no Sync (or Query) after them.
    package internal(set) var hasUnsyncedMessages = false

    /// One of these was an Execute.
    package internal(set) var hasUnsyncedExecute = false

    /// The transaction has failed, and nothing that is under way can end it.
    package var staysFailed: Bool {
        transactionStatus == .failed && outstandingReady == 0 && !hasUnsyncedExecute
    }

    /// The server discards everything up to a Sync that was not sent yet.
    package internal(set) var isSkippingToSync = false

    /// Terminate was sent.
    package internal(set) var isTerminated = false

    /// An error came while nothing was asked: the server is about to close the connection.
    package internal(set) var sawUnaskedError = false

    /// The client pipelined in a way that leaves open which of its messages the server discards. Replies are
    /// passed on unchecked from here on; the server is never free again, and must be closed when this client is
    /// done with it.
    package internal(set) var isLost = false

    /// Extended messages that the server acts on, numbered from 1: the number of the last one sent.
    package internal(set) var extendedSent: UInt64 = 0
    /// The last one that has its final reply, or has failed or was skipped after a failure.
    package internal(set) var extendedDone: UInt64 = 0
    /// How many Syncs were sent: the number of the batch that is open.
    package internal(set) var batch: UInt64 = 0
    /// The number of the last extended message in front of the last Sync.
    package internal(set) var syncedThrough: UInt64 = 0

    /// The number of the last extended message in front of the last Flush.
    package internal(set) var flushedThrough: UInt64 = 0

    /// A Query that is sent now is skipped if one of the extended messages in front of it fails.
    package var maySkipQuery: Bool { extendedSent > extendedDone && extendedSent > syncedThrough }

    var queue = FlowQueue()
    /// Queries and Syncs in the queue.
    var pendingReady = 0
    /// CopyDone or CopyFail was sent for the COPY that `copyState` tells of.
    var clientCopyIsDone = false
    /// CopyData was sent before the server asked for any.
    var sentDataAhead = false
    /// Any answer to the oldest request, if that is a Query, has arrived.
    var headHasReplied = false
    /// ReadyForQuery messages that may come on top of `outstandingReady`.
    var possibleStrays = 0

    /// A server that has just said ReadyForQuery.
    package init(transactionStatus: TransactionStatus = .idle) {
        self.transactionStatus = transactionStatus
    }

    /// Nothing is under way, no reply is missing, no batch is open, whatever the transaction status.
    package var isSynchronized: Bool {
        queue.isEmpty && !hasUnsyncedMessages && !isSkippingToSync && copyState == .none
            && possibleStrays == 0 && !isTerminated && !sawUnaskedError && !isLost
    }

    /// The server may serve another client.
    package var isFree: Bool { transactionStatus == .idle && isSynchronized }

    /// A Sync was sent into the COPY that the server reads: it swallows that unless the COPY fails first.
    package var hasSyncInsideCopy: Bool { isReadingCopy && tentativeSyncs > 0 }

    /// Nothing ends the batch but a Sync: none was sent, or only one that the COPY which the client has ended may have swallowed.
    package var hasOpenBatch: Bool { hasUnsyncedMessages || hasSyncInsideCopy && !awaitsClientData }

    /// A Query stands behind extended messages without a Sync in between: whether it is answered or discarded depends on whether one of
    /// them fails.
    package var mayDiscardQuery: Bool {
        queue.has(.extended, before: .query) || queue.has(.hidden, before: .query)
    }

    /// False while it cannot be known how many ReadyForQuery the server will send.
    package var isCertain: Bool { possibleStrays == 0 && !isLost }

    /// The server would be synchronised but for a ReadyForQuery that may or may not come. The reply to an
    /// empty Query shows it.
    package var needsProbe: Bool {
        possibleStrays > 0 && queue.isEmpty && !hasUnsyncedMessages && !isSkippingToSync
            && copyState == .none && !isTerminated && !sawUnaskedError && !isLost
    }

    /// The server waits for CopyData, CopyDone or CopyFail.
    package var awaitsClientData: Bool {
        switch copyState {
        case .none, .sending: false
        case .receiving: !clientCopyIsDone
        case .both: true
        }
    }

    /// The server reads COPY data, or has been sent the end of it and not answered yet.
    var isReadingCopy: Bool { copyState == .receiving || copyState == .both || clientCopyIsDone }

    /// Sync messages that stand right behind the COPY under way: the server swallows them unless it fails first.
    var tentativeSyncs: Int {
        guard queue.head.count == 1, let next = queue.next, next.kind == .sync else { return 0 }
        return next.count
    }

    /// The next reply answers a message of the pooler's own.
    @inline(__always)
    package var answersHidden: Bool { queue.head.kind == .hidden && !queue.isEmpty }

    /// Whether any request waits for (more of) its answer.
    package var awaitsServer: Bool { !queue.isEmpty }
}
