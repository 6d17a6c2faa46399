// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Synchronization

/// Where a pool leaves the connection that a session has waited for.
final class ClaimDelivery: ClaimReceiver {
    private let ticket = Mutex<ClaimTicket?>(nil)
    private let waker: Waker
    private let reactor: Reactor

    init(waker: Waker, reactor: Reactor) {
        self.waker = waker
        self.reactor = reactor
    }

    /// Called by the pool, on the thread of whoever gave the connection back.
    func claimReady(_ ticket: ClaimTicket) {
        self.ticket.withLock { $0 = ticket }
        reactor.wake(waker)
    }

    /// Takes what was delivered.
    func take() -> ClaimTicket? {
        ticket.withLock { ticket in
            defer { ticket = nil }
            return ticket
        }
    }
}
