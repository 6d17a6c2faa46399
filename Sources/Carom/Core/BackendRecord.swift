// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A list of idle connections of one backend that match the same attributes and sit on the same worker.
///
/// Most recently used first: warm connections work, cold ones age.
struct IdleList: Sendable {
    var attributes: Int32
    var affinity: Int
    var head: Int32 = -1
    var tail: Int32 = -1
}

/// All the core knows of one backend.
struct BackendRecord: Sendable {
    var backend: Backend
    var id: BackendID
    /// The resolver names it. Otherwise it drains, and goes when its last slot goes.
    var present = true
    var state = PoolStats.BackendState.fresh
    var counts = SlotCounts()
    /// Slots planned for it.
    var wanted = 0
    /// How many of those are for waiters that require what it has, or may have.
    var reserved = 0
    /// What its last connection matched, an index into the attribute table, and until when that was so.
    var learnt: Int32 = 0
    var learntAt: Int64 = .min
    /// What was learnt last of any of its connections, an index likewise: the others may not have heard of it yet.
    var latest: Int32 = 0
    /// It says that it is what another one is, and only one should be.
    var isOverruled = false
    /// Somebody outside holds it back.
    var isHeldBack = false
    /// When the last connect to it began.
    var askedAt: Int64 = .min
    /// The plan leaves it what it has, for whether it can be connected to is uncertain.
    var isDoubted = false
    /// It is not in the pool's zone, if that has one.
    var isFarAway = false
    /// Others were in use when the resolver first named it, and it has had no connection yet.
    var isNewcomer = false
    /// It is coming to its full share since then; `never` if it has it.
    var rampSince: Int64 = .never
    /// How much of its share it has meanwhile.
    var ramp: Double = 1
    /// It is among those that the policy opens connections to.
    var isInScope = true
    var idleLists: ContiguousArray<IdleList> = []
    /// Its place among the backends with idle connections, -1 if it has none.
    var readyPosition: Int32 = -1

    var health: BackendHealth

    /// Advances by 1/weight at each claim: who has the least is next among equals.
    var pass: Double = 0
    /// When it last was in the plan.
    var plannedAt: Int64 = .min
    var churn: TokenBucket
    /// When suspicion last put checks in a row.
    var suspectedUntil: Int64 = .min

    var totalClaims: UInt64 = 0
    var totalConnects: UInt64 = 0
    var failedConnects: UInt64 = 0
    var authenticationFailures: UInt64 = 0

    init(_ backend: Backend, window: FailureWindow, churn: TokenBucket) {
        self.backend = backend
        id = backend.id
        health = BackendHealth(window: window)
        self.churn = churn
    }

    /// Weight 0 means very little, as RFC 2782 has it: a sixteenth of weight 1.
    var share: Double { (backend.weight > 0 ? Double(backend.weight) : 1.0 / 16) * ramp }
    /// Its place among others, the lowest first: by priority, and of one priority those of the pool's zone before others.
    var rank: Int { Int(Int32(clamping: backend.priority)) * 2 + (isFarAway ? 1 : 0) }
    var isDead: Bool { state == .dead }
    /// It gets no claims and no connections, whatever it is.
    var isShunned: Bool { isOverruled || isHeldBack }
    var deficit: Int { max(0, wanted - counts.live) }
    /// A probe beside the plan is no surplus.
    var surplus: Int { max(0, (isDoubted ? counts.usable : counts.live) - wanted) }
}
