// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension Pool {
    /// A consistent snapshot. O(backends).
    public var stats: PoolStats {
        engine.stats()
    }

    /// Stops in order: no new claims, waiting ones fail at once, idle connections are closed, leases have until the
    /// grace is over and are revoked then. Returns when nothing is left, at the latest a quarter of a second after
    /// the grace. Any number of callers; all return after the same end. Cancelling the caller changes nothing.
    ///
    /// - Parameter grace: nil means ``Policy/stopGrace``.
    @discardableResult
    public func stop(grace: Duration? = nil) async -> StopReport {
        await engine.stop(grace: grace)
    }

    /// Lends nothing until ``resume()``: claims wait, and their deadlines count. What is lent may be used.
    public func suspend() {
        engine.decide { state, _ in state.core.suspend() }
    }

    /// Ends ``suspend()``; those who waited are served in order.
    public func resume() {
        engine.decide { state, now in state.core.resume(now: now) }
    }

    /// Whether it lends nothing until ``resume()``.
    package var isSuspended: Bool { engine.state.withLock { $0.core.mode == .suspended } }

    /// ``suspend()``, and lets go of every connection as soon as nobody uses it; none is opened until ``resume()``.
    package func empty() {
        engine.decide { state, now in
            state.takeAllParked(now)
            state.core.empty(now: now)
        }
    }

    /// Has every connection that is there now closed as soon as nobody uses it; new ones take their places.
    package func retireAll() {
        engine.decide { state, now in
            state.takeAllParked(now)
            state.core.retireAll(now: now)
        }
    }

    /// Changes the policy. Nothing lent is cut: a smaller pool is reached as connections come back.
    ///
    /// - Throws: ``PolicyError`` if the policy contradicts itself; the old one stays in force.
    public func update(policy: Policy) throws(PolicyError) {
        try policy.validate()
        engine.decide { state, now in state.core.update(policy, now: now) }
        engine.setWatchesLeaks(policy.leakThreshold != nil)
    }

    /// Goes by limits that it shares with other pools from now on; none means that nothing is shared. Connections that are there
    /// count, and those beyond a limit are closed as nobody uses them. A pool shares the limits of one quota at a time.
    package func share(_ quota: SharedQuota, limits: [QuotaLimit]) {
        engine.share(quota, limits)
    }

    /// The limits that it shares with others and that keep it from another connection.
    package var obstacles: [QuotaLimit] {
        engine.state.withLock { $0.membership.map { $0.quota.obstacles(of: $0.member) } ?? [] }
    }

    /// The policy in force.
    public var policy: Policy {
        engine.state.withLock { $0.core.policy.source }
    }

    /// Has a connection's ``ConnectionInspector/attributes(of:)`` read at once, idle or lent: for an owner of the connector that
    /// learns of a change; the connector itself has ``ConnectContext/attributesChanged``. Idle ones of the same backend
    /// are checked, four a second, if they have changed. Without effect if the connection is gone.
    public func attributesChanged(of slot: SlotID) {
        engine.reviewAttributes(of: slot)
    }

    /// Has the idle connections of a backend checked at once, four a second: for a holder that saw an error that
    /// says more than its own connection is gone.
    public func markSuspect(_ backend: BackendID) {
        engine.decide { state, now in
            state.takeAllParked(now)
            state.core.suspect(backend, now: now)
        }
    }

    /// Gives these backends no claims from now on, and no others but these: somebody outside knows that they are no good at the moment.
    /// Their idle connections are closed, and what is lent there is closed when it comes back. They need not be known yet.
    ///
    package func holdBack(_ reasons: [BackendID: HoldReason]) {
        engine.decide { state, now in state.core.holdBack(reasons, now: now) }
    }

    /// Has all idle connections of a backend checked at once, and lent to nobody before they have answered: somebody saw that it
    /// answers nothing.
    package func markSilent(_ backend: BackendID) {
        engine.decide { state, now in
            state.takeAllParked(now)
            state.core.silent(backend, now: now)
        }
    }
}
