// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import Synchronization

/// Watches one pool: how long claims wait and how long connections are held, for the pool and for each backend.
///
/// Give it to the pool as its observer, and together with the pool to a ``StatsServer``. It costs a lock and a few
/// dozen nanoseconds for each claim and each return.
public final class PoolRecorder: PoolObserver {
    /// The spread of waits and holds over the last ten to twenty seconds.
    public struct Spread: Sendable, Hashable {
        /// From asking to having.
        public var wait: Quantiles
        /// From having to giving back.
        public var hold: Quantiles
    }

    private let clock: any PoolClock
    private let record: Mutex<Record>
    let changes = ChangeSignal()

    /// Watches nothing until it is some pool's observer. One recorder serves one pool.
    ///
    /// - Parameter clock: time; the one given to the pool.
    public init(clock: any PoolClock = SystemPoolClock()) {
        self.clock = clock
        record = Mutex(Record(now: clock.now.nanoseconds))
    }

    /// Counts waits and holds, and notices when the set of backends changes.
    public func observe(_ event: PoolEvent) {
        switch event {
        case .claimed(let slot, _, let waited):
            let now = clock.now.nanoseconds
            record.withLock { $0.claimed(slot, waited, now) }
        case .returned(let slot, let held), .revoked(let slot, _, let held):
            let now = clock.now.nanoseconds
            record.withLock { $0.returned(slot, held, now) }
        case .connectStarted(let slot, let backend, _):
            record.withLock { $0.opened(slot, backend) }
        case .closing(let slot, _, _):
            record.withLock { $0.closing(slot) }
        case .closed(let slot), .closeAbandoned(let slot), .connectFailed(let slot, _, _, _, _):
            // A backend that was removed leaves the statistics with its last connection.
            if record.withLock({ $0.closed(slot) }) { changes.announce() }
        case .backendAdded(let backend):
            let now = clock.now.nanoseconds
            record.withLock { $0.added(backend, now) }
            changes.announce()
        case .backendRemoved(let backend):
            record.withLock { $0.removed(backend) }
            changes.announce()
        case .claimQueued, .claimFailed, .claimCancelled, .acquireStarted, .acquireDone, .acquireFailed,
            .forgotten, .overdue, .overdueReturned, .connected, .connectedTooLate,
            .checkStarted, .checkDone, .checkFailed, .recycleStarted, .recycleDone, .recycleFailed,
            .closeOverdue, .backendState, .attributes, .overruled, .heldBack, .released, .planned, .state,
            .policyChanged,
            .notRunning, .reserveOpened, .reserveClosed:
            return
        }
    }

    /// The spread over all backends.
    public var pool: Spread {
        let now = clock.now.nanoseconds
        return record.withLock { $0.poolSpread(now) }
    }

    /// The spread of each backend that the resolver names.
    public var backends: [BackendID: Spread] {
        let now = clock.now.nanoseconds
        return record.withLock { $0.backendSpreads(now) }
    }
}

/// What a recorder knows, under its lock.
private struct Record {
    private let pool: Durations
    private var backends: [BackendID: Durations] = [:]
    /// Where a connection leads to, so that a claim and a return find their histograms by one small key.
    private var slots: [SlotID: Durations] = [:]

    init(now: Int64) {
        pool = Durations(now: now)
    }

    mutating func added(_ backend: BackendID, _ now: Int64) {
        backends[backend] = Durations(now: now)
    }

    mutating func removed(_ backend: BackendID) {
        // Its connections keep their histograms until they are closed.
        backends.removeValue(forKey: backend)?.isRemoved = true
    }

    mutating func opened(_ slot: SlotID, _ backend: BackendID) {
        slots[slot] = backends[backend]
    }

    /// A close that hangs is given up without a further word, so nothing waits for one; only the connections of a
    /// removed backend are followed to their end.
    mutating func closing(_ slot: SlotID) {
        if slots[slot]?.isRemoved == false { slots[slot] = nil }
    }

    /// True: its backend was removed before.
    mutating func closed(_ slot: SlotID) -> Bool {
        slots.removeValue(forKey: slot)?.isRemoved ?? false
    }

    func claimed(_ slot: SlotID, _ waited: Duration, _ now: Int64) {
        pool.wait.record(waited, now: now)
        slots[slot]?.wait.record(waited, now: now)
    }

    func returned(_ slot: SlotID, _ held: Duration, _ now: Int64) {
        pool.hold.record(held, now: now)
        slots[slot]?.hold.record(held, now: now)
    }

    func poolSpread(_ now: Int64) -> PoolRecorder.Spread { pool.spread(now: now) }

    func backendSpreads(_ now: Int64) -> [BackendID: PoolRecorder.Spread] {
        backends.mapValues { $0.spread(now: now) }
    }
}

/// The waits and holds of one pool or backend; shared by the tables of a record.
private final class Durations {
    var wait: RecentDurations
    var hold: RecentDurations
    var isRemoved = false

    init(now: Int64) {
        wait = RecentDurations(now: now)
        hold = RecentDurations(now: now)
    }

    func spread(now: Int64) -> PoolRecorder.Spread {
        PoolRecorder.Spread(wait: wait.quantiles(now: now), hold: hold.quantiles(now: now))
    }
}
