// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Receives what a claim has waited for, and keeps it until it is taken: a receiver that loses nothing.
///
/// For one claim at a time, any number of them in a row. A wait that is given up by ``abandon(_:in:)`` needs no further
/// thought: if its connection was under way already, it goes back to the pool when it arrives. So does one that is
/// never taken, when the mailbox goes.
public final class ClaimMailbox: ClaimReceiver {
    private struct Contents {
        var ticket: ClaimTicket?
        /// Waits that were given up when their ticket was under way.
        var abandoned: [WaiterID] = []
    }
    private let contents = Mutex(Contents())
    private let onDelivery: @Sendable () -> Void

    /// An empty mailbox.
    ///
    /// - Parameter onDelivery: called after a ticket has arrived, on whatever thread the pool decided it.
    public init(onDelivery: @escaping @Sendable () -> Void) {
        self.onDelivery = onDelivery
    }

    deinit {
        contents.withLock { $0.ticket.take() }?.abandon()
    }

    /// Called by the pool.
    public func claimReady(_ ticket: ClaimTicket) {
        let isWanted = contents.withLock { contents in
            if let place = contents.abandoned.firstIndex(where: { $0 == ticket.waiter }) {
                contents.abandoned.remove(at: place)
                return false
            }
            precondition(contents.ticket == nil, "a mailbox received two claims at a time")
            contents.ticket = ticket
            return true
        }
        if isWanted { onDelivery() } else { ticket.abandon() }
    }

    /// Takes what has arrived, for ``Pool/redeem(_:file:line:)``. Nil: nothing yet.
    public func take() -> ClaimTicket? {
        contents.withLock { $0.ticket.take() }
    }

    /// Gives up a wait, whether it is still in the queue, being served at this moment, or served.
    public func abandon<C: Connector>(_ waiter: WaiterID, in pool: Pool<C>) {
        if pool.cancel(waiter) { return }
        let arrived: ClaimTicket? = contents.withLock { contents in
            if contents.ticket?.waiter == waiter { return contents.ticket.take() }
            contents.abandoned.append(waiter)
            return nil
        }
        arrived?.abandon()
    }
}
