// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One pool in a ``StatsFrame``. Times are in seconds.
public struct PoolDetails: Codable, Sendable, Hashable {
    /// Its name.
    public var name: String
    /// `running`, `failed`, `suspended`, `stopping` or `stopped`.
    public var state: String
    /// Claims waiting.
    public var waiters: Int
    /// The most that ever waited.
    public var mostWaiters: Int
    /// How long the oldest has waited.
    public var oldestWait: Double
    /// Connections in every state, how many there may be, and how many are planned.
    public var slots: Int
    /// How many there may be.
    public var maxSlots: Int
    /// How many are planned at the moment.
    public var plannedSlots: Int
    /// Sums since the pool was made.
    public var totals: Totals
    /// From asking to having, over the last ten to twenty seconds. Absent if nobody records.
    public var wait: Quantiles?
    /// From having to giving back, likewise.
    public var hold: Quantiles?
    /// Its backends.
    public var backends: [BackendDetails]

    /// Sums since the pool was made.
    public struct Totals: Codable, Sendable, Hashable {
        /// Claims served.
        public var claims: UInt64
        /// Of those, claims that had to wait.
        public var waitedClaims: UInt64
        /// Claims that reached their deadline.
        public var timeouts: UInt64
        /// Claims cancelled by the claimer.
        public var cancellations: UInt64
        /// Claims refused or failed for any other reason.
        public var failures: UInt64
        /// Claims shed by controlled delay.
        public var shed: UInt64
        /// Connects begun.
        public var connects: UInt64
        /// Connects failed.
        public var connectFailures: UInt64
        /// Checks failed.
        public var checkFailures: UInt64
        /// Connections closed.
        public var closes: UInt64
        /// Leases taken away.
        public var revocations: UInt64
        /// Claims forgotten by their holder.
        public var forgotten: UInt64

        enum CodingKeys: String, CodingKey {
            case claims, timeouts, cancellations, failures, shed, connects, closes, revocations, forgotten
            case waitedClaims = "waited_claims"
            case connectFailures = "connect_failures"
            case checkFailures = "check_failures"
        }
    }

    enum CodingKeys: String, CodingKey {
        case name, state, waiters, slots, totals, backends
        case mostWaiters = "most_waiters"
        case oldestWait = "oldest_wait_seconds"
        case maxSlots = "max_slots"
        case plannedSlots = "planned_slots"
        case wait = "wait_seconds"
        case hold = "hold_seconds"
    }
}

/// One backend of a pool in a ``StatsFrame``. Times are in seconds.
public struct BackendDetails: Codable, Sendable, Hashable {
    /// Its key in ``StatsFrame/sets``.
    public var key: String
    /// The name the resolver knows it by.
    public var name: String
    /// Where it listens.
    public var address: String
    /// Lower is preferred.
    public var priority: Int
    /// Its share among its equals.
    public var weight: Int
    /// Facts given by the resolver.
    public var attributes: [String: String]
    /// `fresh`, `online`, `suspect`, `dead` or `draining`.
    public var state: String
    /// Connections planned for it.
    public var wanted: Int
    /// Connects in flight.
    public var connecting: Int
    /// Ready to be lent.
    public var idle: Int
    /// Being prepared for a claim.
    public var acquiring: Int
    /// Lent.
    public var claimed: Int
    /// Under check.
    public var checking: Int
    /// Being made clean after their return.
    public var recycling: Int
    /// Being closed.
    public var closing: Int
    /// Claims served since it is known.
    public var totalClaims: UInt64
    /// Connects begun.
    public var totalConnects: UInt64
    /// Connects failed.
    public var failedConnects: UInt64
    /// Of those, for authentication.
    public var authenticationFailures: UInt64
    /// Failures of late: the fewer, the sooner it is chosen.
    public var failureScore: Int
    /// The last failure in words.
    public var lastError: String?
    /// From asking to having, over the last ten to twenty seconds. Absent if nobody records.
    public var wait: Quantiles?
    /// From having to giving back, likewise.
    public var hold: Quantiles?

    enum CodingKeys: String, CodingKey {
        case key, name, address, priority, weight, attributes, state
        case wanted = "wanted_slots"
        case connecting = "connecting_slots"
        case idle = "idle_slots"
        case acquiring = "acquiring_slots"
        case claimed = "claimed_slots"
        case checking = "checking_slots"
        case recycling = "recycling_slots"
        case closing = "closing_slots"
        case totalClaims = "total_claims"
        case totalConnects = "total_connects"
        case failedConnects = "failed_connects"
        case authenticationFailures = "authentication_failures"
        case failureScore = "failure_score"
        case lastError = "last_error"
        case wait = "wait_seconds"
        case hold = "hold_seconds"
    }
}
