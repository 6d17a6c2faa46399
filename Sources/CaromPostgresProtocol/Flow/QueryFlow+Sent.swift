// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension QueryFlow {
    /// What the server will do with a message.
    package enum Disposition: Equatable, Sendable {
        /// It acts on it, now or when its turn comes.
        case processed
        /// It reads it and does nothing: leftovers of a COPY that ended early, or a Sync inside COPY, or what
        /// is discarded after an error. Harmless to forward.
        case ignored
    }

    /// Takes note of a message that goes to the server. On an error it must not be sent.
    @discardableResult
    package mutating func sent(_ byte: UInt8) throws(FlowError) -> Disposition {
        guard let tag = FrontendTag(rawValue: byte) else { throw .unknownClientMessage(byte) }
        return try sent(tag)
    }

    /// Takes note of a message that goes to the server. On an error it must not be sent.
    @discardableResult
    package mutating func sent(_ tag: FrontendTag) throws(FlowError) -> Disposition {
        if isTerminated { throw .clientMessageAfterTerminate(tag) }
        switch tag {
        case .parse, .bind, .describe, .execute, .close:
            if awaitsClientData { throw .clientMessageDuringCopy(tag) }
            if isSkippingToSync { return discarded() }
            queue.push(.extended)
            extendedSent &+= 1
            hasUnsyncedMessages = true
            if tag == .execute { hasUnsyncedExecute = true }
            return .processed
        case .query, .functionCall:
            if awaitsClientData { throw .clientMessageDuringCopy(tag) }
            if isSkippingToSync { return discarded() }
            queue.push(.query)
            pendingReady &+= 1
            (hasUnsyncedMessages, hasUnsyncedExecute) = (false, false)
            return .processed
        case .sync:
            return sentSync()
        case .flush:
            flushedThrough = extendedSent
            return awaitsClientData || isSkippingToSync ? .ignored : .processed
        case .copyData:
            if awaitsClientData { return .processed }
            if queue.isEmpty { return .ignored }
            sentDataAhead = true
            return .processed
        case .copyDone, .copyFail:
            return sentCopyEnd()
        case .terminate:
            isTerminated = true
            return .processed
        case .password:
            throw .passwordAfterAuthentication
        }
    }

    /// Takes note of a Parse or Close of the pooler's own, in front of a message that the server will process.
    package mutating func sentHidden() {
        queue.push(.hidden)
        extendedSent &+= 1
        hasUnsyncedMessages = true
    }

    /// What comes before the Sync that the server waits for is discarded. If it is not known whether it still waits,
    /// nobody can tell whether this is.
    private mutating func discarded() -> Disposition {
        if possibleStrays > 0 { isLost = true }
        return .ignored
    }

    private mutating func sentSync() -> Disposition {
        let isSwallowed = awaitsClientData
        queue.push(.sync)
        pendingReady &+= 1
        batch &+= 1
        syncedThrough = extendedSent
        isSkippingToSync = false
        (hasUnsyncedMessages, hasUnsyncedExecute) = (false, false)
        return isSwallowed ? .ignored : .processed
    }

    private mutating func sentCopyEnd() -> Disposition {
        // Outside COPY nobody will look at it, unless it belongs to one that the server has not announced yet.
        if queue.isEmpty { return .ignored }
        queue.push(.copyEnd)
        switch copyState {
        case .receiving: clientCopyIsDone = true
        case .both:
            clientCopyIsDone = true
            copyState = .sending
        case .none, .sending: break
        }
        return .processed
    }
}
