// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// What the pool is doing, for people.
    var state: PoolStats.State {
        switch mode {
        case .running: failed ? .failed : .running
        case .suspended: .suspended
        case .stopping: .stopping
        case .stopped: .stopped
        }
    }

    /// Claims wait from now on; their deadlines count.
    mutating func suspend() {
        guard mode == .running else { return }
        change(to: .suspended)
    }

    /// Serves who waited, in order.
    mutating func resume(now: Int64) {
        guard mode == .suspended else { return }
        isEmptied = false
        change(to: .running)
        if failed { failQueue(.failed, now: now) }
        serveFromIdle(now)
        growIfNeeded(now)
        needsConnects = true
        settle(now)
    }

    /// Gives idle connections to waiters as long as both are there.
    mutating func serveFromIdle(_ now: Int64) {
        for slot in slots.indices where slots[slot].state == .idle && queue.count > 0 {
            guard let waiter = nextWaiter(for: slot, now: now) else { continue }
            serveIdle(slot, waiter, now: now)
        }
    }

    /// A new policy, already validated. Nothing lent is cut: the pool converges as connections come back.
    mutating func update(_ policy: Policy, now: Int64) {
        self.policy = CompiledPolicy(policy)
        for backend in backends.indices {
            backends[backend].churn.change(perSecond: policy.churnRate, burst: policy.churnBurst)
            backends[backend].isFarAway = isFarAway(backends[backend].backend)
        }
        watchAt = isWatching ? now.after(self.policy.watchInterval) : .never
        rebalanceAt = now.after(self.policy.rebalanceInterval)
        decoherenceAt = now.after(self.policy.decoherenceInterval)
        if policy.shrink != .lowPass { sampleAt = .never }
        if isParkingUsed { sweepAt = min(sweepAt, now.after(self.policy.sweepInterval)) }
        for slot in slots.indices { rearm(slot, now: now) }
        needsPlan = true
        if observed { emit(.policyChanged) }
        settle(now)
    }

    private mutating func rearm(_ slot: Int, now: Int64) {
        switch slots[slot].state {
        case .idle:
            slots[slot].checkEvery = drawCheck()
            arm(slot, by: max(now, idleDeadline(slot)))
        case .claimed:
            arm(slot, by: slots[slot].claimedAt.after(min(policy.leakThreshold, policy.leaseLimit)))
        case .free, .connecting, .acquiring, .recycling, .checking, .closing: return
        }
    }

    private mutating func change(to new: Mode) {
        let before = state
        mode = new
        if observed, state != before { emit(.state(from: before, to: state)) }
    }
}

// MARK: Stopping

extension PoolCore {
    /// Begins to stop: waiters fail, everything not lent is closed, leases have until `grace` from now. Said again,
    /// the earlier end counts. Returns how many waiters failed.
    mutating func stop(grace: Int64?, now: Int64) -> Int {
        let end = now.after(max(0, grace ?? policy.stopGrace))
        switch mode {
        case .stopped: return 0
        case .stopping(let earlier):
            mode = .stopping(by: min(earlier, end))
            if now >= min(earlier, end) { revokeAll(now) }
            finishStopping()
            return 0
        case .running, .suspended: break
        }
        let waiting = queue.count + queue.acquiring
        change(to: .stopping(by: end))
        failQueue(.stopped, now: now)
        for slot in slots.indices {
            switch slots[slot].state {
            case .acquiring:
                let waiter = Int(slots[slot].waiter)
                if waiter >= 0 { fail(waiter, .stopped, now: now) }
                close(slot, .stopping, now: now)
            case .idle, .connecting, .recycling, .checking: close(slot, .stopping, now: now)
            case .closing where slots[slot].lingers:
                slots[slot].deadline = now.after(policy.closeTimeout)
                arm(slot, by: slots[slot].deadline)
            case .free, .claimed, .closing: continue
            }
        }
        if now >= end { revokeAll(now) }
        finishStopping()
        return waiting
    }

    /// The grace is over: leases are taken away, and whatever is being closed gets one more quarter of a second.
    mutating func revokeAll(_ now: Int64) {
        mode = .stopping(by: .never)
        for slot in slots.indices {
            switch slots[slot].state {
            case .claimed:
                let held = now.since(slots[slot].claimedAt)
                effects.append(.revoked(id(slot), backendID(of: slot), held: held))
                revoke(slot, now: now)
                hurry(slot, now: now)
            case .closing: hurry(slot, now: now)
            case .free, .idle, .acquiring, .recycling, .checking, .connecting: continue
            }
        }
    }

    private mutating func hurry(_ slot: Int, now: Int64) {
        slots[slot].deadline = min(slots[slot].deadline, now.after(Self.lastCloseTime))
        arm(slot, by: slots[slot].deadline)
    }

    mutating func finishStopping() {
        guard case .stopping = mode, counts.all == 0 else { return }
        change(to: .stopped)
        effects.append(.stopped)
    }
}
