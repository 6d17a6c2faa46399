// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What the loss of its server means to the client.
enum ServerLoss {
    /// It has lost nothing; what it has sent waits for another server.
    case unnoticed
    /// Each of the answers that it waits for is this error, and ReadyForQuery.
    case answer(ErrorFields, count: Int)
    /// The session ends.
    case end(SessionEnd)

    /// What it means to a client in this state. Whole messages only, and one answer for each unit that it waits for: where it has
    /// been sent a part of a message, or nobody can tell how many answers it waits for, the session ends instead.
    ///
    /// - Parameters:
    ///   - ownsServer: what the client has with the server cannot be had with another.
    ///   - isAtBorder: the client has sent whole messages.
    ///   - isEnding: it has said goodbye.
    init(
        _ reason: String, _ server: borrowing ServerState, isMute: Bool, ownsServer: Bool, isAtBorder: Bool,
        isEnding: Bool
    ) {
        if isMute {
            self = .end(.cutOff("server connection lost: \(reason)"))
            return
        }
        let isIdle = server.flow.isSynchronized && server.flow.transactionStatus == .idle
        if !ownsServer, isAtBorder, isIdle {
            self = .unnoticed
            return
        }
        let count = server.owedReplies
        let isOpenBatch = server.flow.hasUnsyncedMessages || server.flow.isSkippingToSync
        let isCertain =
            server.flow.isCertain && !server.flow.mayDiscardQuery && !server.flow.hasSyncInsideCopy
        let canAnswer = !ownsServer && !isEnding && isAtBorder && count > 0 && !isOpenBatch && isCertain
        let fields = ErrorFields(
            severity: canAnswer ? .error : .fatal, code: .connectionFailure,
            message: "server connection lost: \(reason)")
        self = canAnswer ? .answer(fields, count: count) : .end(.refused(fields))
    }
}

extension RelayMachine {
    /// Bytes of ours inside a message would be taken for its own, and behind FATAL no answer is expected.
    func isMute(_ server: borrowing ServerState) -> Bool {
        phase != .preparing && (server.isInsideReply || server.hasSaidGoodbye)
    }
}
