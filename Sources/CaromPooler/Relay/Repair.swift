// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What is done while a ReadyForQuery is kept from the client, because its request has done to the session what a pooled session must
/// not have, or what has to be found out.
enum Repair {
    /// The ReadyForQuery has come.
    ///
    /// - Parameter hasFailed: the server has told the client of an error.
    /// - Returns: what the server is asked; nil if nothing is to be done.
    static func begin(
        _ status: TransactionStatus, hasFailed: Bool, _ requests: inout ClientRequests,
        _ book: inout SessionBook, _ server: inout ServerState
    ) -> SessionQuestion? {
        if requests.pause.isOneAtATime, status != .idle { return .rollBack }
        if let channels = requests.channels, channels.isUnsettled {
            channels.requestEnded(hasFailed: hasFailed)
            // It was kept back for the channels alone.
            if !book.needsRepair(after: book.effects) { return channels.question(at: status) }
        }
        // Settings went back to the server's defaults: they must go back to what the client's session began with.
        if status == .failed {
            book.failed()
            return nil
        }
        let resetAlone = hasFailed ? nil : requests.resetSetting
        return book.repair(
            &server, resetAlone: resetAlone, isCertain: !hasFailed && !requests.hasOnlyBound)
    }

    /// The server has answered such a question, or there was none.
    ///
    /// - Parameter isReset: settings that were reset are what they should be.
    /// - Returns: what the server is asked next; nil if the client is to have its ReadyForQuery.
    static func end(
        isReset: Bool, isOver: Bool, _ requests: borrowing ClientRequests, _ book: inout SessionBook,
        _ server: borrowing ServerState
    ) -> SessionQuestion? {
        if isReset { book.settleReset(isOver: isOver) }
        guard let channels = requests.channels, channels.isUnsettled else { return nil }
        return channels.question(at: server.flow.transactionStatus)
    }

    /// The server has told what the client's transaction has made of its channels, and listens to none any more.
    ///
    /// - Returns: whether others are to listen for the client.
    static func heard(
        isAwaited: Bool, _ requests: inout ClientRequests, _ book: inout SessionBook,
        _ server: inout ServerState
    ) -> Bool {
        let answer =
            server.takeSuppressedError() == nil ? server.takeChannels().flatMap(ChannelInquiry.answer) : nil
        if answer == nil { book.keepUnknown(&server) } else { book.letGoOfChannels() }
        let isNews = requests.channels?.settle(answer, isAwaited: isAwaited) == true
        requests.settleChannels()
        return isNews
    }
}
