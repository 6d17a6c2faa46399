// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A policy in the core's terms: nanoseconds, with `Int64.never` for what is switched off.
struct CompiledPolicy: Sendable {
    /// As it was given.
    let source: Policy
    let claimTimeout: Int64
    let validationBypass: Int64
    let codelTarget: Int64
    let codelInterval: Int64
    let connectTimeout: Int64
    let hedgeDelay: Int64
    let minBackoff: Int64
    let maxBackoff: Int64
    let stableAfter: Int64
    let failedAfter: Int64
    let healthInterval: Int64
    let healthTimeout: Int64
    let recycleTimeout: Int64
    let closeTimeout: Int64
    let maxLifetime: Int64
    let watchInterval: Int64
    let slowStart: Int64
    let rebalanceInterval: Int64
    let decoherenceInterval: Int64
    let stopGrace: Int64
    let leakThreshold: Int64
    let leaseLimit: Int64
    let idleLimit: Int64
    /// The connection idle longest is lent first.
    let rotates: Bool
    /// How often parked connections are looked at; 0: nothing may be parked.
    let sweepInterval: Int64
    /// With the reserve, while it is open.
    var maxSlots: Int
    let reserveSlots: Int
    let reserveAfter: Int64
    let spares: Int
    let minSlots: Int

    init(_ policy: Policy) {
        func time(_ duration: Duration?) -> Int64 { duration.map { $0.inNanoseconds } ?? .never }
        source = policy
        claimTimeout = time(policy.claimTimeout)
        validationBypass = time(policy.validationBypass)
        codelTarget = time(policy.codelTarget)
        codelInterval = time(policy.codelInterval)
        connectTimeout = time(policy.connectTimeout)
        hedgeDelay = time(policy.hedgeDelay)
        minBackoff = time(policy.minBackoff)
        maxBackoff = time(policy.maxBackoff)
        stableAfter = time(policy.stableAfter)
        failedAfter = time(policy.failedAfter)
        healthInterval = time(policy.healthInterval)
        healthTimeout = time(policy.healthTimeout)
        recycleTimeout = time(policy.recycleTimeout)
        closeTimeout = time(policy.closeTimeout)
        maxLifetime = time(policy.maxLifetime)
        watchInterval = time(policy.watchInterval)
        slowStart = time(policy.slowStart)
        rebalanceInterval = time(policy.rebalanceInterval)
        decoherenceInterval = time(policy.decoherenceInterval)
        stopGrace = time(policy.stopGrace)
        leakThreshold = time(policy.leakThreshold)
        leaseLimit = time(policy.leaseLimit)
        switch policy.shrink {
        case .afterIdle(let limit): idleLimit = time(limit)
        case .lowPass, .never: idleLimit = .never
        }
        rotates = policy.rotates
        sweepInterval =
            rotates ? 0 : Self.sweepInterval(within: [validationBypass, healthInterval, idleLimit])
        maxSlots = policy.maxSlots
        reserveSlots = policy.reserveSlots
        reserveAfter = time(policy.reserveAfter)
        spares = policy.spares
        minSlots = policy.minSlots
    }
}

extension CompiledPolicy {
    /// A parked connection is noticed at the second sweep that finds it: half of each limit is early enough.
    private static func sweepInterval(within limits: [Int64]) -> Int64 {
        let interval = min(longestSweepInterval, (limits.min() ?? .never) / 2)
        return interval < shortestSweepInterval ? 0 : interval
    }

    /// So long a connection may look busy that is not.
    private static var longestSweepInterval: Int64 { 1_000_000_000 }
    /// Sweeping more often would cost more than parking saves.
    private static var shortestSweepInterval: Int64 { 10_000_000 }
}

extension Int64 {
    /// An instant that does not come, and a time that does not end.
    static var never: Int64 { .max }

    /// The instant this long after, never overflowing.
    func after(_ time: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(time)
        return overflow ? .never : sum
    }

    /// The time since an earlier instant. Threads read the clock before they take the lock, so what another has noted may be
    /// later than this thread's now: then it is zero.
    @inline(__always)
    func since(_ earlier: Int64) -> Int64 { Swift.max(0, self - earlier) }
}

extension Duration {
    /// Whole nanoseconds, clamped to what 64 bits hold.
    package var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }
}
