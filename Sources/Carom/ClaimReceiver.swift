// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Is told when a waiting claim was served or failed: the door for code that has no task to suspend.
public protocol ClaimReceiver: AnyObject, Sendable {
    /// Called at most once for each waiting claim, outside the pool's lock, on whatever thread decided it, possibly
    /// before the call that began the wait has returned.
    ///
    /// The ticket must be brought to ``Pool/redeem(_:file:line:)``, or to ``ClaimTicket/abandon()``. ``ClaimMailbox`` is a receiver that sees to that.
    func claimReady(_ ticket: ClaimTicket)
}

/// The result of a wait: a value that can travel to the thread where the claim is wanted.
public struct ClaimTicket: Sendable {
    enum Outcome: Sendable {
        case served(AnyPooledConnection, idle: Int64)
        case failed(PoolError)
    }

    /// The waiter this is the answer to; nil if there was no wait.
    public let waiter: WaiterID?
    let outcome: Outcome

    /// Gives the ticket up: its connection goes to the next waiter, untouched. Each ticket once, instead of redeeming.
    public func abandon() {
        switch outcome {
        case .failed: return
        case .served(let box, _):
            box.takeTicket()
            box.engine.giveBack(box, .untouched)
        }
    }

    static func failed(_ error: PoolError) -> ClaimTicket {
        ClaimTicket(waiter: nil, outcome: .failed(error))
    }
}

/// What a claim by the callback door came to.
public enum ClaimAttempt<Connection: Sendable>: ~Copyable {
    /// Served at once; the receiver will not be called.
    case claimed(Claim<Connection>)
    /// Waiting: the receiver will be called, unless ``Pool/cancel(_:)`` comes first.
    case waiting(WaiterID)
    /// Not served; the receiver will not be called.
    case failed(PoolError)
}
