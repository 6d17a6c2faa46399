// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Every decision of a pool, as a value: events in (with the present instant), small answers and effects out.
///
/// The core knows ids, never connections or continuations; it looks nothing up, takes its time from its caller and
/// its randomness from its seed. A year of a pool's life runs in a moment of test.
///
/// Instants are nanoseconds on any clock that does not go back.
struct PoolCore: ~Copyable, Sendable {
    enum Mode: Equatable, Sendable {
        /// → `suspended`, `stopping`.
        case running
        /// Claims wait. → `running`, `stopping`.
        case suspended
        /// No new claims; leases end by this instant, `never` once they have. → `stopped`.
        case stopping(by: Int64)
        /// The end.
        case stopped
    }

    var policy: CompiledPolicy
    var random: SeededRandom
    var mode = Mode.running
    /// Every backend is dead.
    var failed = false
    /// Suspended without connections: none is kept, and none is opened.
    var isEmptied = false

    var slots: ContiguousArray<SlotRecord> = []
    var freeSlot: Int32 = -1
    var counts = SlotCounts()
    var timers = TimerHeap()

    var backends: ContiguousArray<BackendRecord> = []
    var freeBackends: [Int] = []
    var known: [BackendID: Int] = [:]
    /// Present backends, most preferred first.
    var order: [Int] = []
    /// Backends with idle connections, in no order.
    var ready: ContiguousArray<Int32> = []
    /// Backends that drain.
    var draining = 0
    /// Why backends are held back that are, whether the resolver names them or not.
    var heldBack: [BackendID: HoldReason] = [:]

    var attributes = AttributeTable()
    var queue = WaitQueue()
    var delay = ControlledDelay()

    /// Connections the pool aims at: follows demand up at once and down slowly.
    var planned = 0
    /// The sum of what backends are wanted to have, dead ones' probes left out.
    var wantedTotal = 0
    /// How many of those are for waiters with a requirement.
    var reservedTotal = 0
    /// Of several backends that are what only one should be, the one that counts.
    var exclusiveBackend: Int?
    /// The priority of the backends the plan counts on; nil if all that live are doubted.
    var trustedPriority: Int?
    /// When the plan changes by itself: doubt about a backend ends, or what was known of it is too old.
    var replanAt: Int64 = .never
    /// The plan leaves a place for a probe, and when a full pool may make the next one.
    var makesProbePlace = false
    var probedBackend: Int?
    var probeRoomAt: Int64 = .min
    /// Connects under way that take longer than is usual.
    var slowConnects = 0
    /// Connections that live backends lack of what they are wanted to have, as of the last look at connects.
    var lacking = 0
    var shrink = DemandFilter()
    var needsPlan = true
    var needsConnects = false
    var needsTrim = false
    /// A connect that is due finds no free slot: some surplus connection should make room.
    var blocked = false

    /// Something may be parked: lent, and at rest with its holder.
    var isParkingUsed = false
    /// How many were parked when they were last counted.
    var parked = 0
    /// Demand may have risen; whether it has depends on how many are parked.
    var needsParkedCount = false
    /// The plan has changed: connections that are parked, or will be, may have to go.
    var needsRecall = false

    var connectAt: Int64 = .never
    var trimAt: Int64 = .never
    var sampleAt: Int64 = .never
    /// When parked connections are next looked at.
    var sweepAt: Int64 = .never
    /// When one idle connection of each backend is next checked, and when that was last done.
    var watchAt: Int64
    var watchedAt: Int64 = .min
    var rebalanceAt: Int64
    var decoherenceAt: Int64

    /// Others share limits with the pool; see ``mayTakePlace()``.
    var isLimited = false
    /// Others wait for places that this pool has.
    var isPressed = false
    /// Granted and not yet used.
    var places = 0
    /// Free again since they were counted last.
    var freedPlaces = 0
    /// What a connect takes of late, if limits are shared.
    var connectTime: Int64 = 0
    /// A connect is due and has no place, and whether that is to be said.
    var lacksPlace = false
    var asksForPlace = false

    /// Since when the reserve is open and not needed.
    var reserveIdleSince: Int64 = .never

    var effects: [PoolEffect] = []
    let observed: Bool
    /// Somebody wants the events of every claim, too, or at least of those that wait.
    let observesClaims: Bool
    var observesWaits: Bool
    /// The connector has an acquire hook: no connection is lent without it.
    let acquires: Bool
    var totals = PoolStats.Totals()
    var mostWaiting = 0

    init(
        policy: Policy, seed: UInt64, acquires: Bool = false, observed: Bool = false,
        observesClaims: Bool? = nil, observesWaits: Bool? = nil,
        now: Int64
    ) {
        let compiled = CompiledPolicy(policy)
        self.policy = compiled
        random = SeededRandom(seed: seed)
        self.observed = observed
        self.observesClaims = observesClaims ?? observed
        self.observesWaits = observesWaits ?? observed
        self.acquires = acquires
        watchAt = .never
        rebalanceAt = now.after(compiled.rebalanceInterval)
        decoherenceAt = now.after(compiled.decoherenceInterval)
    }

    /// When the core next wants to be told the time; `never` if nothing is pending.
    ///
    /// Formally mutating, as is whatever else the hot path calls: a borrowed core of a kilobyte is passed by
    /// copying it to the stack, an exclusive one by reference.
    var nextDeadline: Int64 { mutating get { earliestDeadline() } }

    private mutating func earliestDeadline() -> Int64 {
        if case .stopped = mode { return .never }
        var next = min(timers.earliest, queue.earliestDeadline)
        if case .stopping(let end) = mode { return min(next, end) }
        next = min(next, connectAt, trimAt)
        next = min(next, sampleAt, rebalanceAt)
        return min(next, decoherenceAt, min(sweepAt, watchAt))
    }

    /// Connections demand justifies at this moment: lent, waited for, and spares, or the minimum. Idle connections beside
    /// waiters are none that the waiters could use, and one under check may not come back: neither counts as what they wait
    /// for.
    ///
    /// Inlined, as are the other looks on the path of a claim: called, each would copy the core to the stack.
    @inline(__always)
    var demand: Int {
        var spare = policy.spares
        if queue.count > 0, counts.idle > spare, mode == .running { spare = counts.idle }
        let asked =
            counts.busy - min(parked, counts.claimed) + queue.count + (queue.count > 0 ? counts.checking : 0)
        let all = asked > policy.maxSlots - spare ? policy.maxSlots : asked + spare
        return min(policy.maxSlots, max(policy.minSlots, all))
    }

    var isStopping: Bool {
        switch mode {
        case .running, .suspended: false
        case .stopping, .stopped: true
        }
    }

    /// Follows up on an event: plans, trims, connects as far as the event made it necessary.
    mutating func settle(_ now: Int64) {
        if isStopping { return finishStopping() }
        repeat {
            if needsPlan { plan(now) }
            if needsTrim { trim(now) }
            if needsConnects { startConnects(now) }
            // A backend whose last connection made room for others may be dead now: that changes the plan.
        } while needsPlan
        watchDemand(now)
    }

    mutating func emit(_ event: PoolEvent) {
        effects.append(.event(event))
    }
}

// MARK: Slots

extension PoolCore {
    @inline(__always)
    func id(_ slot: Int) -> SlotID {
        SlotID(index: UInt32(slot), generation: slots[slot].generation)
    }

    /// The record's index, if the slot is still that connection's.
    @inline(__always)
    func find(_ id: SlotID) -> Int? {
        let index = Int(id.index)
        guard index < slots.count, slots[index].generation == id.generation, slots[index].state != .free
        else { return nil }
        return index
    }

    func backendID(of slot: Int) -> BackendID {
        backends[Int(slots[slot].backend)].id
    }

    mutating func makeSlot(backend: Int) -> Int {
        let slot: Int
        if freeSlot >= 0 {
            slot = Int(freeSlot)
            freeSlot = slots[slot].next
        } else {
            slot = slots.count
            slots.append(SlotRecord())
        }
        let generation = slots[slot].generation
        slots[slot] = SlotRecord()
        slots[slot].generation = generation
        slots[slot].backend = Int32(backend)
        return slot
    }

    /// The slot is over: its record is free and its backend too, if that drained and this was its last.
    mutating func freeSlot(_ slot: Int) {
        move(slot, to: .free)
        if isLimited { freedPlaces += 1 }
        timers.set(slot, at: .never)
        attributes.release(slots[slot].attributes)
        let backend = Int(slots[slot].backend)
        slots[slot].generation &+= 1
        slots[slot].next = freeSlot
        freeSlot = Int32(slot)
        needsConnects = true
        if !backends[backend].present, backends[backend].counts.all == 0 { forgetBackend(backend) }
    }

    @inline(__always)
    mutating func move(_ slot: Int, to state: SlotState) {
        let old = slots[slot].state
        let backend = Int(slots[slot].backend)
        slots[slot].state = state
        counts.add(-1, to: old)
        counts.add(1, to: state)
        backends[backend].counts.add(-1, to: old)
        backends[backend].counts.add(1, to: state)
    }

    /// Sees to it that the slot's timer fires no later than `at`. A timer that fires early finds nothing due and
    /// sets itself anew, so claims and returns of idle connections need not touch the heap.
    @inline(__always)
    mutating func arm(_ slot: Int, by at: Int64) {
        if at < slots[slot].timerAt {
            slots[slot].timerAt = at
            timers.set(slot, at: at)
        }
    }

    mutating func begin(_ slot: Int, _ state: SlotState, now: Int64, limit: Int64) {
        move(slot, to: state)
        slots[slot].deadline = now.after(limit)
        arm(slot, by: slots[slot].deadline)
    }
}
