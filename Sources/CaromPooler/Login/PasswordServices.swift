// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// Asks services about passwords, on threads beside the workers.
final class PasswordServices: Sendable {
    /// Of one service, eight questions at a time may take as long as they like, and a thousand may wait behind them.
    private let threads = BlockingThreads<PasswordService>(name: "passwords", count: 8, capacity: 1000)
    private let doubts: LDAPDoubts

    init(log: PoolerLog) { doubts = LDAPDoubts { log.error($0) } }

    /// Has the service of an inquiry say what it thinks.
    ///
    /// - Parameters:
    ///   - host: where the client comes from; nil if that is this machine's Unix socket.
    ///   - body: is told on another thread, unless the consultation was ended before it began.
    /// - Returns: nil, and nothing will happen, if too many wait for this service already.
    func ask(
        _ inquiry: PasswordInquiry, from host: String?,
        then body: @escaping @Sendable (PasswordVerdict) -> Void
    ) -> PasswordConsultation? {
        let isAbandoned = AbandonFlag()
        let ticket = threads.submit(for: inquiry.service) { [doubts] in
            body(inquiry.verdict(from: host, doubts, ifWanted: { !isAbandoned.isSet }))
        }
        return ticket.map { PasswordConsultation(threads: threads, ticket: $0, isAbandoned: isAbandoned) }
    }
}

/// A question that is under way.
struct PasswordConsultation: Sendable {
    fileprivate let threads: BlockingThreads<PasswordService>
    fileprivate let ticket: BlockingThreads<PasswordService>.Ticket
    fileprivate let isAbandoned: AbandonFlag

    /// Nobody waits for the verdict any more. It leaves its place among those that wait; what has begun ends with the server that is asked.
    func end() {
        isAbandoned.set()
        threads.cancel(ticket)
    }
}
