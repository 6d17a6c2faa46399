// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A snapshot of a pool: one consistent moment, taken under its lock.
public struct PoolStats: Sendable {
    /// What a pool is doing.
    @nonexhaustive
    public enum State: String, Sendable, Hashable {
        /// Serving claims, or trying to.
        case running
        /// Every backend is dead: claims fail at once, probes go on.
        case failed
        /// Claims wait until it is resumed.
        case suspended
        /// No claims any more; waiting for those that are out.
        case stopping
        /// Nothing left.
        case stopped
    }

    /// A backend's health as the pool sees it.
    @nonexhaustive
    public enum BackendState: String, Sendable, Hashable {
        /// Not tried yet.
        case fresh
        /// The last news was good.
        case online
        /// Failing, but not for long, or not only.
        case suspect
        /// Failing for long and without any connection: one probe keeps trying.
        case dead
        /// No longer known to the resolver; what is lent may finish.
        case draining
    }

    /// One backend in numbers.
    public struct BackendStats: Sendable {
        /// The backend as the resolver describes it.
        public var backend: Backend
        /// Its health.
        public var state: BackendState
        /// Connections planned for it.
        public var wanted: Int
        /// Connects in flight.
        public var connecting: Int
        /// Connections ready to be lent.
        public var idle: Int
        /// Connections being validated or prepared for a claim.
        public var acquiring: Int
        /// Connections lent.
        public var claimed: Int
        /// Idle connections under check.
        public var checking: Int
        /// Returned connections being made clean.
        public var recycling: Int
        /// Connections being closed.
        public var closing: Int
        /// Claims served since it is known.
        public var totalClaims: UInt64
        /// Connects begun.
        public var totalConnects: UInt64
        /// Failed connects.
        public var failedConnects: UInt64
        /// Connects failed for authentication.
        public var authenticationFailures: UInt64
        /// Failures of the last two longest back-off times: the fewer, the sooner it is chosen.
        public var score: Int
        /// The last failure in words.
        public var lastError: String?
        /// What its connections match; empty if it has none.
        public var attributes: [String: String] = [:]
        /// It is what only one should be, and another one is (``Policy/exclusive``).
        public var isOverruled = false
        /// Why somebody holds it back, so that it gets no claims; nil if nobody does.
        public var heldBack: String?
    }

    /// Sums since the pool was made.
    public struct Totals: Sendable, Hashable {
        /// Claims served.
        public var claims: UInt64 = 0
        /// Of those, claims that had to wait.
        public var waitedClaims: UInt64 = 0
        /// Time all served claims waited together, in nanoseconds.
        public var waitNanoseconds: UInt64 = 0
        /// How long each claim waited that had to.
        public var waits = DurationHistogram()
        /// How long each connect took that succeeded.
        public var connectTimes = DurationHistogram()
        /// Time connections were lent, in nanoseconds.
        public var holdNanoseconds: UInt64 = 0
        /// Claims that reached their deadline.
        public var timeouts: UInt64 = 0
        /// Claims cancelled by the claimer.
        public var cancellations: UInt64 = 0
        /// Claims refused or failed for any other reason.
        public var failures: UInt64 = 0
        /// Claims shed by controlled delay.
        public var shed: UInt64 = 0
        /// Connects begun.
        public var connects: UInt64 = 0
        /// Connects failed.
        public var connectFailures: UInt64 = 0
        /// Checks begun.
        public var checks: UInt64 = 0
        /// Checks failed.
        public var checkFailures: UInt64 = 0
        /// Recycles begun.
        public var recycles: UInt64 = 0
        /// Recycles failed.
        public var recycleFailures: UInt64 = 0
        /// Connections closed.
        public var closes: UInt64 = 0
        /// Leases taken away.
        public var revocations: UInt64 = 0
        /// How often connections beyond the pool's size were allowed, because a claim had waited too long.
        public var reserveOpenings: UInt64 = 0
        /// Claims forgotten by their holder.
        public var forgotten: UInt64 = 0

        /// All zero.
        public init() {}
    }

    /// The pool's name.
    public var name: String
    /// What it is doing.
    public var state: State
    /// Its backends, draining ones included.
    public var backends: [BackendStats]
    /// Claims waiting in the queue.
    public var waiting: Int
    /// The most that ever waited.
    public var mostWaiting: Int
    /// How long the oldest has waited.
    public var oldestWait: Duration
    /// Connections in every state.
    public var slots: Int
    /// How many there may be.
    public var maxSlots: Int
    /// How many are planned at the moment.
    public var planned: Int
    /// Sums since the pool was made.
    public var totals: Totals

    /// Connections lent.
    public var claimed: Int { backends.reduce(0) { $0 + $1.claimed } }
    /// Connections ready to be lent.
    public var idle: Int { backends.reduce(0) { $0 + $1.idle } }
    /// Connects in flight.
    public var connecting: Int { backends.reduce(0) { $0 + $1.connecting } }
}
