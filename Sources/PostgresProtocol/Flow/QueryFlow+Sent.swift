// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension QueryFlow {
    /// What the server will do with a message.
    package enum Disposition: Equatable, Sendable {
        /// It acts on it, now or when its turn comes.
        case processed
        /// It reads it and does nothing: leftovers of a COPY that ended early, or a Sync inside COPY, or what is
        /// discarded after an error. Harmless to forward.
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
            if isSkippingToSync { return .ignored }
            queue.push(.extended)
            hasUnsyncedMessages = true
            return .processed
        case .query, .functionCall:
            if awaitsClientData { throw .clientMessageDuringCopy(tag) }
            if isSkippingToSync { return .ignored }
            queue.push(.query)
            outstandingReady &+= 1
            hasUnsyncedMessages = false
            return .processed
        case .sync:
            return sentSync()
        case .flush:
            return awaitsClientData || isSkippingToSync ? .ignored : .processed
        case .copyData:
            return awaitsClientData || !queue.isEmpty ? .processed : .ignored
        case .copyDone, .copyFail:
            return sentCopyEnd()
        case .terminate:
            isTerminated = true
            return .processed
        case .password:
            throw .passwordAfterAuthentication
        }
    }

    private mutating func sentSync() -> Disposition {
        if awaitsClientData {
            swallowedSyncs &+= 1
            return .ignored
        }
        queue.push(.sync)
        outstandingReady &+= 1
        isSkippingToSync = false
        hasUnsyncedMessages = false
        return .processed
    }

    private mutating func sentCopyEnd() -> Disposition {
        switch copyState {
        case .receiving where !clientCopyIsDone:
            clientCopyIsDone = true
            return .processed
        case .both:
            copyState = .sending
            return .processed
        case .none, .receiving, .sending:
            // Either nobody will look at it, or it belongs to a COPY that the server has not announced yet.
            if queue.isEmpty { return .ignored }
            queue.push(.copyEnd)
            return .processed
        }
    }
}
