// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension QueryFlow {
    /// Takes note of any message from the server. `firstBodyByte` matters for ReadyForQuery only.
    package mutating func received(_ byte: UInt8, firstBodyByte: UInt8) throws(FlowError) {
        guard let tag = BackendTag(rawValue: byte) else { throw .unknownServerMessage(byte) }
        if tag == .readyForQuery {
            guard let status = TransactionStatus(rawValue: firstBodyByte) else {
                throw .unexpectedReadyForQuery
            }
            try receivedReady(status)
        } else {
            try received(tag)
        }
    }

    /// Takes note of a message from the server that is not ReadyForQuery. A run of DataRow or CopyData needs
    /// one call.
    package mutating func received(_ tag: BackendTag) throws(FlowError) {
        switch tag {
        case .noticeResponse, .notificationResponse, .parameterStatus:
            return
        case .dataRow:
            try answersRequest(tag)
        case .parseComplete, .bindComplete, .closeComplete, .noData, .portalSuspended:
            guard !queue.isEmpty, queue.head.kind.isExtended else { return try unexpected(tag) }
            finishExtended()
        case .parameterDescription:
            guard !queue.isEmpty, queue.head.kind.isExtended else { return try unexpected(tag) }
            possibleStrays = 0
        case .rowDescription:
            try answersRequest(tag)
            if queue.head.kind.isExtended { finishExtended() }
        case .commandComplete, .emptyQueryResponse:
            try answersRequest(tag)
            if isReadingCopy { finishReceiving() }
            endCopy()
            if queue.head.kind.isExtended { finishExtended() }
        case .functionCallResponse:
            guard !queue.isEmpty, queue.head.kind == .query else { return try unexpected(tag) }
            try answersRequest(tag)
        case .copyInResponse:
            try answersRequest(tag)
            beginReceiving(.receiving)
        case .copyBothResponse:
            try answersRequest(tag)
            beginReceiving(.both)
        case .copyOutResponse:
            try answersRequest(tag)
            copyState = .sending
        case .copyData:
            guard copyState == .sending || copyState == .both else { return try unexpected(tag) }
        case .copyDone:
            try receivedCopyDone()
        case .errorResponse:
            receivedError()
        case .readyForQuery:
            throw .unexpectedReadyForQuery
        case .authentication, .backendKeyData, .negotiateProtocolVersion:
            throw .unexpectedServerMessage(tag)
        }
    }

    /// Whether a ReadyForQuery that came now would end the oldest request. If not, it is one that the protocol cannot announce.
    @inline(__always)
    package var readyEndsRequest: Bool {
        if queue.isEmpty { return false }
        if queue.head.kind == .sync { return true }
        return queue.head.kind == .query && (possibleStrays == 0 || headHasReplied)
    }

    /// Takes note of ReadyForQuery.
    package mutating func receivedReady(_ status: TransactionStatus) throws(FlowError) {
        if readyEndsRequest {
            queue.popOne()
            pendingReady &-= 1
            headHasReplied = false
            dropIdleCopyEnds()
        } else if possibleStrays > 0 {
            possibleStrays &-= 1
            if queue.isEmpty { isSkippingToSync = false }
        } else if !isLost {
            throw .unexpectedReadyForQuery
        }
        transactionStatus = status
        copyState = .none
        clientCopyIsDone = false
        if queue.isEmpty { sentDataAhead = false }
    }

    @inline(__always)
    private mutating func answersRequest(_ tag: BackendTag) throws(FlowError) {
        guard !queue.isEmpty, queue.head.kind.isExtended || queue.head.kind == .query else {
            return try unexpected(tag)
        }
        headHasReplied = true
        // The server answers in order: what may have come on top would have come before this.
        possibleStrays = 0
    }

    private mutating func finishExtended() {
        // Of a flow that is lost, an answer may answer nothing that is known.
        if queue.isEmpty { return }
        possibleStrays = 0
        headHasReplied = false
        queue.popOne()
        extendedDone &+= 1
        dropIdleCopyEnds()
    }

    /// The server ignores a CopyDone that it reads outside COPY.
    @inline(__always)
    private mutating func dropIdleCopyEnds() {
        if queue.head.kind == .copyEnd { dropLeadingCopyEnds() }
    }

    @inline(never)
    private mutating func dropLeadingCopyEnds() {
        while !queue.isEmpty, queue.head.kind == .copyEnd { queue.dropHead() }
    }

    /// A reply that answers nothing: the server's fault, unless we lost track.
    private func unexpected(_ tag: BackendTag) throws(FlowError) {
        if !isLost { throw .unexpectedServerMessage(tag) }
    }

    private mutating func endCopy() {
        copyState = .none
        clientCopyIsDone = false
    }

    private mutating func receivedCopyDone() throws(FlowError) {
        switch copyState {
        case .sending: copyState = .none
        case .both: copyState = .receiving
        case .none, .receiving: try unexpected(.copyDone)
        }
    }

    /// From here on the server reads COPY data, first of all what the client sent before it knew.
    private mutating func beginReceiving(_ state: CopyState) {
        copyState = state
        clientCopyIsDone = false
        // With more requests behind this one before the end of the data, the server will end the connection.
        guard queue.head.count == 1, let next = queue.next else { return }
        let end = next.kind == .sync ? queue.afterNext() : next
        guard let end, end.kind == .copyEnd else { return }
        clientCopyIsDone = true
        if state == .both { copyState = .sending }
    }

    /// The COPY succeeded: the server has read the end of the data and swallowed every Sync before it.
    private mutating func finishReceiving() {
        guard queue.head.count == 1, let next = queue.next else { return }
        if next.kind == .sync {
            pendingReady &-= next.count
            queue.dropNext()
            if queue.head.kind.isExtended, pendingReady == 0 {
                (hasUnsyncedMessages, hasUnsyncedExecute) = (true, true)
            }
        }
        if let end = queue.next, end.kind == .copyEnd { queue.popOneOfNext() }
    }

    private mutating func receivedError() {
        guard !queue.isEmpty else {
            if hasUnsyncedMessages { isSkippingToSync = true } else { sawUnaskedError = true }
            endCopy()
            return
        }
        let doubtful = isReadingCopy ? tentativeSyncs : 0
        endCopy()
        switch queue.head.kind {
        case .query:
            headHasReplied = true
            possibleStrays = 0
            if doubtful > 0 { doubtSyncs(doubtful) }
        case .sync:
            break
        case .extended, .hidden, .copyEnd:
            headHasReplied = false
            possibleStrays = 0
            if doubtful > 0 { doubtSyncs(doubtful) }
            skipToSync()
        }
    }

    /// A COPY failed that Syncs were sent into. Did the server swallow them first?
    private mutating func doubtSyncs(_ count: Int) {
        let behind = queue.afterNext()
        switch behind?.kind {
        case .extended, .hidden, .query:
            // Had it read that far in COPY, it would have met these and ended the connection. So it did not,
            // unless there was data in between that it could fail on.
            if sentDataAhead { isLost = true }
            return
        case .copyEnd, nil: break
        case .sync: preconditionFailure("Neighbouring Syncs are one entry.")
        }
        if queue.head.kind.isExtended, behind != nil, let later = queue.afterNext(1), later.kind != .sync {
            // If they were swallowed, these are discarded; if not, they are done.
            isLost = true
        }
        pendingReady &-= count
        queue.dropNext()
        possibleStrays = count
    }

    /// Drops what the server discards after an error in an extended message.
    private mutating func skipToSync() {
        while !queue.isEmpty, queue.head.kind != .sync {
            if queue.head.kind == .query { pendingReady &-= queue.head.count }
            if queue.head.kind.isExtended { extendedDone &+= UInt64(queue.head.count) }
            queue.dropHead()
        }
        isSkippingToSync = queue.isEmpty
    }
}
