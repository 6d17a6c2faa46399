// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The shell around the core: a lock, the connections and continuations the core knows by id, and the hands that
/// do what it decides.
///
/// The pattern is always the same: lock, decide, unlock, act.
@usableFromInline
final class PoolEngine: Sendable {
    let name: String
    let clock: any PoolClock
    let connector: AnyConnector
    let resolver: any Resolver
    let observer: (any PoolObserver)?
    let executor: (any TaskExecutor)?
    let state: Mutex<EngineState>
    /// Operations begun and not yet ended.
    let operations = Atomic<Int>(0)
    /// The core has stopped, and the end waits for operations.
    let awaitsOperations = Atomic<Bool>(false)
    @usableFromInline let parking = Parking()
    private let leaks: Atomic<Bool>
    /// Between two looks at the numbers; `never` if no observer wants them.
    let sampling: Int64

    @usableFromInline
    init(
        name: String, policy: Policy, connector: AnyConnector, resolver: any Resolver,
        observers: [any PoolObserver], clock: any PoolClock, executor: (any TaskExecutor)?, seed: UInt64?
    ) {
        self.name = name
        self.clock = clock
        self.connector = connector
        self.resolver = resolver
        #if Probes
            let observers = observers + [PoolProbes(pool: name)]
        #endif
        observer = observers.count > 1 ? PoolObservers(observers) : observers.first
        self.executor = executor
        leaks = Atomic(policy.leakThreshold != nil)
        let core = PoolCore(
            policy: policy, seed: seed ?? .random(in: 0 ... .max), acquires: connector.acquires,
            observed: observer != nil, observesClaims: observer?.observesClaims ?? false,
            observesWaits: observer?.observesWaits ?? false, now: clock.now.nanoseconds)
        sampling = observer?.samplingInterval?.inNanoseconds ?? .never
        state = Mutex(EngineState(name: name, core: core, parking: parking))
    }

    /// Whether leases are timed; read at every claim.
    var watchesLeaks: Bool { leaks.load(ordering: .relaxed) }

    func setWatchesLeaks(_ watches: Bool) {
        leaks.store(watches, ordering: .relaxed)
    }

    func cancelled() -> PoolError {
        state.withLock { $0.error(.cancelled, since: 0, now: 0, causes: []) }
    }

    func stats() -> PoolStats {
        let now = now
        return state.withLock { state in
            state.core.stats(name: state.name, parked: state.parkedByBackend(), now: now)
        }
    }

    var now: Int64 { clock.now.nanoseconds }

    /// Lets the core decide, then does what follows from it.
    func decide<Answer: Sendable>(_ body: (inout EngineState, Int64) -> Answer) -> Answer {
        let now = now
        let (answer, work) = state.withLock { state in
            let answer = body(&state, now)
            return (answer, state.collect(now))
        }
        if let work { perform(work) }
        return answer
    }
}

/// What the lock guards.
struct EngineState: ~Copyable, Sendable {
    let name: String
    var core: PoolCore
    let parking: Parking
    /// Parking is closed and whatever was parked has been taken in.
    var isNothingParked = false
    /// When parked connections were last looked at.
    var lastSweep: Int64 = 0
    /// Open connections by slot.
    var boxes: ContiguousArray<AnyPooledConnection?> = []
    /// What runs for a slot.
    var running: ContiguousArray<BackgroundTask?> = []
    /// Who waits, by waiter.
    var waiters: ContiguousArray<WaiterHandle> = []
    /// The last error of each backend that had one.
    var errors: [BackendID: any Error] = [:]
    /// Where leases were claimed, if leaks are looked for.
    var places: [SlotID: String] = [:]
    /// When the timer that runs will fire.
    var armed: Int64 = .never
    var timer: BackgroundTask?
    var resolving: BackgroundTask?
    var hasRun = false
    /// Somebody has been told that the pool does not run, or will be at this instant.
    var hasComplained = false
    var complainAt: Int64 = .never
    /// When observers are next given the numbers.
    var sampleAt: Int64 = .never
    /// Nothing is left of the core.
    var finished = false
    /// ``finished``, and those who waited for it have been told.
    var isOver = false
    /// The latest that a stop may return.
    var endBy: Int64 = .never
    /// Waits for operations until then.
    var ending: BackgroundTask?
    /// Operations that were still under way at the end.
    var unfinished = 0
    /// Limits that the pool shares with others.
    var membership: QuotaMembership?
    var runner: UnsafeContinuation<Void, Never>?
    var stoppers: [UnsafeContinuation<Void, Never>] = []
    var failedWaiters = 0
    var revoked: [StopReport.Lease] = []

    init(name: String, core: consuming PoolCore, parking: Parking) {
        self.name = name
        self.core = core
        self.parking = parking
    }

    func box(_ slot: SlotID) -> AnyPooledConnection? {
        let index = Int(slot.index)
        guard index < boxes.count, let box = boxes[index], box.slot == slot else { return nil }
        return box
    }

    mutating func setBox(_ box: AnyPooledConnection?, _ slot: SlotID) {
        let index = Int(slot.index)
        while boxes.count <= index { boxes.append(nil) }
        boxes[index] = box
    }

    mutating func setRunning(_ task: BackgroundTask?, _ slot: SlotID) {
        let index = Int(slot.index)
        while running.count <= index { running.append(nil) }
        running[index] = task
    }

    /// What ran for a connection is over, if it is still this one's slot.
    mutating func setRunning(_ task: BackgroundTask?, ifBoxOf slot: SlotID) {
        if box(slot) != nil { setRunning(task, slot) }
    }

    mutating func setWaiter(_ handle: WaiterHandle, _ waiter: WaiterID) {
        let index = Int(waiter.index)
        while waiters.count <= index { waiters.append(.nobody) }
        waiters[index] = handle
    }

    mutating func takeWaiter(_ waiter: WaiterID) -> WaiterHandle {
        let index = Int(waiter.index)
        guard index < waiters.count else { return .nobody }
        let handle = waiters[index]
        waiters[index] = .nobody
        return handle
    }

    /// A claim waits, or has failed, and nobody runs the pool: that is told once, a wait after a while.
    mutating func complain(at due: Int64, now: Int64) {
        if hasRun || hasComplained || finished { return }
        if now < due {
            complainAt = min(complainAt, due)
        } else {
            hasComplained = true
            complainAt = .never
            if core.observed { core.emit(.notRunning) }
        }
    }

    /// An error with all that is known at this moment.
    func error(
        _ code: PoolError.Code, since: Int64, now: Int64, causes: [PoolError.Cause],
        _ requirement: [String: String] = [:]
    ) -> PoolError {
        let isAwaitingRun = !hasRun && (code == .noBackends || code == .timedOut)
        let isSought = code == .noBackendsOnline && !requirement.isEmpty
        return PoolError(
            code: code,
            details: PoolError.Details(
                pool: name, waited: .nanoseconds(now.since(since)), inUse: core.counts.claimed,
                limit: core.capacity, backends: core.order.count, causes: causes,
                obstacles: code == .exhausted
                    ? membership.map { $0.quota.obstacles(of: $0.member) } ?? [] : [],
                isAwaitingRun: isAwaitingRun, requirement: requirement,
                candidates: isSought
                    ? core.order.map {
                        PoolError.Candidate(
                            backend: core.backends[$0].id, known: core.lastKnown($0),
                            isReachable: core.isReachable($0),
                            heldBack: core.heldBack[core.backends[$0].id]?.text)
                    }
                    : []))
    }

    /// The last failure of each backend that is not well.
    func causes() -> [PoolError.Cause] {
        core.order.compactMap { index in
            let record = core.backends[index]
            guard record.isDead || record.isDoubted || record.health.failures > 0,
                let text = record.health.lastError
            else { return nil }
            // The last error may not be the last failure: silence throws nothing.
            let error = errors[record.id].flatMap { String(describing: $0) == text ? $0 : nil }
            return PoolError.Cause(backend: record.id, text: text, underlying: error)
        }
    }
}

/// Who waits for a claim, and how to reach them.
enum WaiterHandle: Sendable {
    case nobody
    case task(UnsafeContinuation<ClaimTicket, Never>)
    case receiver(any ClaimReceiver)

    func deliver(_ ticket: ClaimTicket) {
        switch self {
        case .nobody: return
        case .task(let continuation): continuation.resume(returning: ticket)
        case .receiver(let receiver): receiver.claimReady(ticket)
        }
    }
}
