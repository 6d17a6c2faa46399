// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Everything a pool decides or learns.
///
/// Events are made only if there is an observer. They are delivered after the pool's lock was released, on the
/// thread that caused them; two threads' events may arrive in either order.
@nonexhaustive
public enum PoolEvent: Sendable, Equatable {
    // Claims
    /// A claim began to wait.
    case claimQueued(WaiterID, waiting: Int)
    /// A claim was served after this wait.
    case claimed(SlotID, BackendID, waited: Duration)
    /// A claim failed.
    case claimFailed(WaiterID?, PoolError.Code, waited: Duration)
    /// A waiting claim was cancelled.
    case claimCancelled(WaiterID)
    /// Validation or the acquire hook runs before a connection is lent.
    case acquireStarted(SlotID)
    /// It succeeded.
    case acquireDone(SlotID)
    /// It failed; the connection is closed and the claim tries another.
    case acquireFailed(SlotID, reason: String)
    /// A connection was given back after this time.
    case returned(SlotID, held: Duration)
    /// A holder forgot to give back; the connection is closed.
    case forgotten(SlotID)
    /// A connection is held longer than the leak threshold. `place` says where it was claimed, and by which task.
    case overdue(SlotID, held: Duration, place: String)
    /// A connection reported overdue came back after all.
    case overdueReturned(SlotID, held: Duration, place: String)
    /// A connection was taken from its holder.
    case revoked(SlotID, BackendID, held: Duration)

    // Connections
    /// A connect began.
    case connectStarted(SlotID, BackendID, attempt: Int)
    /// A connect succeeded.
    case connected(SlotID, BackendID)
    /// A connect failed or took too long; the next comes after `retryIn`.
    case connectFailed(SlotID, BackendID, FailureKind, reason: String, retryIn: Duration)
    /// A connection arrived after its time and is closed.
    case connectedTooLate(SlotID)
    /// A health check began.
    case checkStarted(SlotID)
    /// A health check succeeded.
    case checkDone(SlotID)
    /// A health check failed; the connection is closed.
    case checkFailed(SlotID, reason: String)
    /// A returned connection is being made clean.
    case recycleStarted(SlotID)
    /// It is clean.
    case recycleDone(SlotID)
    /// It could not be made clean and is closed.
    case recycleFailed(SlotID, reason: String)
    /// A connection is being closed.
    case closing(SlotID, BackendID, CloseReason)
    /// It is closed.
    case closed(SlotID)
    /// Closing takes longer than ``Policy/closeTimeout``: it is cancelled, and the connection counts until `closed`.
    case closeOverdue(SlotID)
    /// A pool that stops has not waited for the end of a close: the connection no longer counts.
    case closeAbandoned(SlotID)

    // Backends and pool
    /// A claim has failed, or waited for a second, and nobody has called ``Pool/run()``. Said once.
    case notRunning
    /// The resolver named a backend.
    case backendAdded(BackendID)
    /// The resolver no longer names a backend.
    case backendRemoved(BackendID)
    /// A backend's health changed.
    case backendState(BackendID, from: PoolStats.BackendState, to: PoolStats.BackendState)
    /// What a backend's connections match has changed, or is known now.
    case attributes(BackendID, from: [String: String], to: [String: String])
    /// The first backend is what only one should be, and another one is (``Policy/exclusive``): it gets no more claims.
    case overruled(BackendID, by: BackendID)
    /// Somebody holds the backend back: it gets no more claims.
    case heldBack(BackendID, reason: String)
    /// The backend is no longer held back.
    case released(BackendID)
    /// The distribution was planned: connections in all.
    case planned(total: Int)
    /// The pool's own state changed.
    case state(from: PoolStats.State, to: PoolStats.State)
    /// A claim has waited so long that the pool may have so many connections more.
    case reserveOpened(Int)
    /// They are not needed any more.
    case reserveClosed
    /// The policy was changed.
    case policyChanged

    /// Why a connection was closed.
    @nonexhaustive
    public enum CloseReason: String, Sendable, Hashable {
        /// The holder or the connector said so.
        case discarded
        /// The holder forgot it.
        case forgotten
        /// It failed a check.
        case checkFailed
        /// It could not be made clean.
        case recycleFailed
        /// It failed validation or the acquire hook.
        case acquireFailed
        /// The connector saw that it is of no use any more.
        case unusable
        /// It reached its age.
        case tooOld
        /// More connections than needed.
        case surplus
        /// Another pool had a better right to it, under a limit that they share.
        case madeRoom
        /// Its backend is gone.
        case backendRemoved
        /// The pool stops.
        case stopping
        /// Held too long.
        case revoked
        /// Connecting took too long or was no longer wanted.
        case connectAbandoned
    }
}

/// Sees every event of a pool.
public protocol PoolObserver: Sendable {
    /// Called for each event, without a lock, possibly from several threads at once. Must not block.
    func observe(_ event: PoolEvent)

    /// Whether it wants the events that every claim makes: `claimed` of claims that did not wait, `acquireStarted`,
    /// `acquireDone` and `returned`. Asked once, when the pool is made. If no observer wants them they are never put together,
    /// and a claim allocates nothing.
    var observesClaims: Bool { get }

    /// Whether it wants those of claims that wait: `claimQueued`, `claimed` and `claimCancelled`. Likewise.
    var observesWaits: Bool { get }

    /// How often it wants to be given the pool's numbers while the pool runs; nil: never. Asked once, more than zero.
    var samplingInterval: Duration? { get }

    /// The pool's numbers: at each interval, and once more when it has stopped.
    func sample(_ stats: PoolStats)
}

extension PoolObserver {
    /// True.
    public var observesClaims: Bool { true }

    /// True.
    public var observesWaits: Bool { true }

    /// Never.
    public var samplingInterval: Duration? { nil }

    /// Has no use for them.
    public func sample(_ stats: PoolStats) {}
}
