// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

extension ServerState {
    /// What a chunk from the server came to. Offsets are into the chunk.
    package struct Received: Equatable, Sendable {
        /// What is for the client; in front of it are replies that are suppressed.
        package var visible: Range<Int>
        /// The bytes from here on are the beginning of a message: they are kept in front of the next chunk.
        package var consumed: Int
        /// Whole messages follow behind `consumed`, which are not the client's: they are to be received next.
        package var hasMore = false
        /// How often the server has said, visibly, that it is ready.
        package var completed = 0
        /// How many of those ended a transaction (or a statement outside one).
        package var transactions = 0
        /// A reported setting changed.
        package var parametersChanged = false
        /// An error says that nothing can be written there (25006).
        package var refusesWrites = false
        /// Nothing of what follows here is the case.
        package var isOrdinary = true
        /// Extended messages that failed or were skipped, by their numbers in the flow.
        package var failed: ClosedRange<UInt64>?
        /// An error that may name a prepared statement as the server knows it, or tells a place in a query as the server got it, behind what
        /// is visible; it is not visible itself. With `endsSession` it says why.
        package var misnamed: ErrorFields?
        /// The server ends the session (FATAL or PANIC), between two transactions.
        package var endsSession = false
        /// All prepared statements up to the extended message of this number are gone, by the client's wish.
        package var deallocatedThrough: UInt64?
        /// A prepared statement was planned for rows of another shape.
        package var hasStalePlan = false
        /// What failed first did not even have its text read.
        package var hasUnreadText = false
        /// An error was among the replies to the client, behind the last ReadyForQuery that was not kept from it.
        package var hasError = false
        /// The status of the ReadyForQuery that was kept from the client.
        package var withheld: TransactionStatus?
        /// What comes behind `consumed` is no PostgreSQL server's: `failure` says why, and the connection is of no further use.
        package var isBroken = false

        /// Why the server ends the session, between two transactions.
        package var goodbye: ErrorFields? { endsSession ? misnamed : nil }

        /// An error comes while nothing is asked: whether the session ends with it.
        mutating func isUnasked(_ body: RawSpan) -> Bool {
            let fields = ErrorFields(body: body)
            guard fields.isFatal else { return false }
            misnamed = fields
            endsSession = true
            isOrdinary = false
            return true
        }

        /// Ends in front of a message that is not passed on.
        func cut(_ visibleFrom: Int, _ message: Range<Int>, of chunk: RawSpan) -> Received {
            var result = self
            result.visible = visibleFrom..<max(visibleFrom, message.lowerBound)
            result.consumed = message.upperBound
            result.hasMore = message.upperBound < chunk.byteCount
            return result
        }
    }
}

// MARK: What was not understood yet

extension ServerState {
    /// Moves what was not understood yet to the beginning of `buffer`, and returns how much it was.
    package mutating func takeUnread(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = unread.count
        if count == 0 { return 0 }
        precondition(count <= buffer.count, "kept bytes fit into the buffer that they came from")
        unread.withUnsafeBytes { buffer.copyMemory(from: $0) }
        unread = []
        return count
    }

    /// Keeps the beginning of a message until more of it has come.
    package mutating func keepUnread(_ bytes: UnsafeRawBufferPointer) { unread = Array(bytes) }
}
