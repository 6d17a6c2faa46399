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

    /// Takes note of a message from the server that is not ReadyForQuery. A run of DataRow or CopyData needs one call.
    package mutating func received(_ tag: BackendTag) throws(FlowError) {
        switch tag {
        case .noticeResponse, .notificationResponse, .parameterStatus:
            return
        case .dataRow:
            try answersRequest(tag)
        case .parseComplete, .bindComplete, .closeComplete, .noData, .portalSuspended:
            guard !queue.isEmpty, queue.head.kind == .extended else { throw .unexpectedServerMessage(tag) }
            finishExtended()
        case .parameterDescription:
            guard !queue.isEmpty, queue.head.kind == .extended else { throw .unexpectedServerMessage(tag) }
            possibleStrays = 0
        case .rowDescription:
            try answersRequest(tag)
            if queue.head.kind == .extended { finishExtended() }
        case .commandComplete, .emptyQueryResponse:
            try answersRequest(tag)
            endCopy()
            if queue.head.kind == .extended { finishExtended() }
        case .functionCallResponse:
            guard !queue.isEmpty, queue.head.kind == .query else { throw .unexpectedServerMessage(tag) }
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
            guard copyState == .sending || copyState == .both else { throw .unexpectedServerMessage(tag) }
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

    /// Takes note of ReadyForQuery.
    package mutating func receivedReady(_ status: TransactionStatus) throws(FlowError) {
        let endsHead =
            !queue.isEmpty
            && (queue.head.kind == .sync
                || (queue.head.kind == .query && (possibleStrays == 0 || headHasReplied)))
        if endsHead {
            queue.popOne()
            outstandingReady &-= 1
            headHasReplied = false
            dropIdleCopyEnds()
        } else if possibleStrays > 0 {
            possibleStrays &-= 1
            if queue.isEmpty { isSkippingToSync = false }
        } else {
            throw .unexpectedReadyForQuery
        }
        transactionStatus = status
        copyState = .none
        clientCopyIsDone = false
    }

    @inline(__always)
    private mutating func answersRequest(_ tag: BackendTag) throws(FlowError) {
        guard !queue.isEmpty, queue.head.kind == .extended || queue.head.kind == .query else {
            throw .unexpectedServerMessage(tag)
        }
        headHasReplied = true
        // The server answers in order: what may have come on top would have come before this.
        possibleStrays = 0
    }

    private mutating func finishExtended() {
        possibleStrays = 0
        headHasReplied = false
        queue.popOne()
        dropIdleCopyEnds()
    }

    /// The server ignores a CopyDone that it reads outside COPY.
    private mutating func dropIdleCopyEnds() {
        while !queue.isEmpty, queue.head.kind == .copyEnd { queue.dropHead() }
    }

    private mutating func endCopy() {
        copyState = .none
        clientCopyIsDone = false
        swallowedSyncs = 0
    }

    private mutating func receivedCopyDone() throws(FlowError) {
        switch copyState {
        case .sending: copyState = .none
        case .both: copyState = .receiving
        case .none, .receiving: throw .unexpectedServerMessage(.copyDone)
        }
    }

    /// From here on the server reads COPY data, first of all what the client sent before it knew.
    private mutating func beginReceiving(_ state: CopyState) {
        copyState = state
        clientCopyIsDone = false
        swallowedSyncs = 0
        // With more extended messages behind this Execute the server will end the connection.
        guard queue.head.count == 1 else { return }
        scan: while let next = queue.next {
            switch next.kind {
            case .sync:
                outstandingReady &-= next.count
                swallowedSyncs &+= next.count
                queue.dropNext()
            case .copyEnd:
                queue.popOneOfNext()
                if state == .both { copyState = .sending } else { clientCopyIsDone = true }
                break scan
            case .extended, .query:
                break scan
            }
        }
        if swallowedSyncs > 0, queue.head.kind == .extended, outstandingReady == 0 {
            hasUnsyncedMessages = true
        }
    }

    private mutating func receivedError() {
        let strays = swallowedSyncs
        endCopy()
        guard !queue.isEmpty else {
            if hasUnsyncedMessages { isSkippingToSync = true } else { sawUnaskedError = true }
            return
        }
        switch queue.head.kind {
        case .query:
            headHasReplied = true
            possibleStrays = strays
        case .sync:
            break
        case .extended, .copyEnd:
            possibleStrays = strays
            headHasReplied = false
            skipToSync()
        }
    }

    /// Drops what the server discards after an error in an extended message.
    private mutating func skipToSync() {
        while !queue.isEmpty, queue.head.kind != .sync {
            if queue.head.kind == .query { outstandingReady &-= queue.head.count }
            queue.dropHead()
        }
        isSkippingToSync = queue.isEmpty
    }
}
