// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What the shell must do after an event, besides what the event's own answer says.
enum PoolEffect: Equatable, Sendable {
    /// Open a connection; answer with `connected` or `connectFailed`.
    case connect(SlotID, Backend, attempt: Int, affinity: Int?, deadline: Int64)
    /// Check an idle connection; answer with `checked`.
    case check(SlotID)
    /// Make a returned connection clean; answer with `recycled`.
    case recycle(SlotID)
    /// Validate, or at least look at, and prepare a connection for a waiter; answer with `acquired` or `foundUnusable`.
    case acquire(SlotID, validate: Bool)
    /// Cancel a connect; its answer is still expected.
    case abandon(SlotID)
    /// Cancel what runs on the connection and close it; answer with `closed`.
    case close(SlotID)
    /// Cancel a close that takes too long; its answer is still expected.
    case hurry(SlotID)
    /// The slot is gone although its last answer has not come.
    case forget(SlotID)
    /// Share the connection to the waiter.
    case serve(WaiterID, SlotID)
    /// Tell the waiter that it is not served.
    case fail(WaiterID, PoolError.Code, since: Int64, requirement: [String: String])
    /// A lease was taken away by force while the pool stops.
    case revoked(SlotID, BackendID, held: Int64)
    /// A lease is held too long; the shell knows by whom.
    case overdue(SlotID, held: Int64)
    /// A lease reported overdue has come back.
    case overdueReturned(SlotID, held: Int64)
    /// A backend is forgotten: nothing of it is left.
    case backendGone(BackendID)
    /// Nothing is left of the pool.
    case stopped
    /// Tell the observer.
    case event(PoolEvent)
}

/// The answer to a claim.
enum ClaimDecision: Equatable, Sendable {
    /// Lent at once.
    case hand(SlotID)
    /// Waiting: in the queue, or for a connection that is being validated.
    case wait(WaiterID)
    /// Not served.
    case fail(PoolError.Code)
}

/// The answer to a return.
enum ReturnDecision: Equatable, Sendable {
    /// Idle again, in the background's hands, or closed: see the effects.
    case kept
    /// Goes straight to this waiter.
    case serve(WaiterID)
    /// It was no longer the claimer's: revoked, or the pool has stopped.
    case late
}

/// How a connection comes back.
@usableFromInline
enum ReturnKind: Equatable, Sendable {
    /// Used and known to be clean.
    case clean
    /// Used, clean, and at rest since no earlier than this.
    case parked(since: Int64)
    /// Used; to be made clean.
    case recycle
    /// Never touched by the claimer: as good as before.
    case untouched
    /// To be closed; `blame` counts it against the backend, `suspect` has its neighbours checked.
    case discard(PoolEvent.CloseReason, blame: Bool, suspect: Bool)
}
