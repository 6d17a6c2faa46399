// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Pool {
    /// Lends a connection without suspending: for code that has no task to suspend.
    ///
    /// - Parameters:
    ///   - request: what the connection must and should be like.
    ///   - timeout: over the whole wait; 0 succeeds or fails at once, nil means the policy's.
    ///   - receiver: called when a claim that had to wait was served or failed. Kept until then.
    ///   - file: where it is claimed, for the report of a leak; leave it to the compiler.
    ///   - line: likewise.
    @inlinable
    public func claim(
        _ request: ClaimRequest, timeout: Duration? = nil, receiver: any ClaimReceiver,
        file: StaticString = #fileID, line: UInt = #line
    ) -> ClaimAttempt<C.Connection> {
        if let box = engine.lendIdle(request, file: file, line: line) { return .claimed(Claim(box)) }
        switch engine.lendOrWait(request, timeout: timeout, receiver: receiver, file: file, line: line) {
        case .lent(let box): return .claimed(Claim(box))
        case .waiting(let waiter): return .waiting(waiter)
        case .failed(let error): return .failed(error)
        }
    }

    /// Lends a connection if one is idle, without waiting and without a receiver; otherwise nil, which counts as no failure.
    ///
    /// - Parameters:
    ///   - request: what the connection must and should be like.
    ///   - file: where it is claimed, for the report of a leak; leave it to the compiler.
    ///   - line: likewise.
    @inlinable
    public func claimIdle(_ request: ClaimRequest, file: StaticString = #fileID, line: UInt = #line)
        -> Claim<C.Connection>?
    {
        guard let box = engine.lendIdle(request, file: file, line: line) else { return nil }
        return Claim(box)
    }

    /// Leaves the queue. True: it was still waiting and its receiver will never be called. O(1).
    public func cancel(_ waiter: WaiterID) -> Bool {
        engine.cancel(waiter)
    }

    /// Turns a ticket into the claim it stands for, on the caller's side. Each ticket once.
    ///
    /// - Throws: ``PoolError`` if the wait failed.
    public func redeem(
        _ ticket: ClaimTicket, file: StaticString = #fileID, line: UInt = #line
    ) throws(PoolError) -> Claim<C.Connection> {
        switch ticket.outcome {
        case .failed(let error): throw error
        case .served(let box, _):
            box.takeTicket()
            engine.noteClaim(box, file: file, line: line)
            return Claim(box)
        }
    }

    /// Gives up a ticket: its connection goes to the next waiter, untouched. Each ticket once, instead of redeeming.
    public func abandon(_ ticket: ClaimTicket) {
        ticket.abandon()
    }
}
