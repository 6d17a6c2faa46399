// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The life of one connection.
///
/// ```
/// connecting → idle ⇄ claimed → recycling → idle
///                ⇄ checking, ⇄ acquiring → claimed
/// any of them → closing → free
/// ```
enum SlotState: UInt8, Sendable {
    /// Not in use. → `connecting`.
    case free
    /// A connect is in flight. → `idle` or `claimed` on success, `free` on failure, `closing` when abandoned.
    case connecting
    /// Connected and ready. → `claimed`, `acquiring`, `checking`, `closing`.
    case idle
    /// Being validated or prepared for a waiter. → `claimed`, `idle` if the waiter left, `closing` on failure.
    case acquiring
    /// Lent. → `idle`, `claimed` by the next waiter, `recycling`, `closing`.
    case claimed
    /// Given back, being made clean. → `idle`, `claimed`, `closing`.
    case recycling
    /// Idle and being checked. → `idle`, `claimed`, `closing`.
    case checking
    /// Being closed; still counts. → `free`.
    case closing

    /// There is a connection that works.
    var isUsable: Bool {
        switch self {
        case .idle, .acquiring, .claimed, .recycling, .checking: true
        case .free, .connecting, .closing: false
        }
    }
}

/// All the core knows of one connection. Plain data: the connection itself lives in the shell.
struct SlotRecord: Sendable {
    var generation: UInt32 = 0
    var state = SlotState.free
    /// Lent, and reported as held too long.
    var overdue = false
    /// To be watched until it proves stable: it was opened during a series of failures.
    var unproven = false
    /// Its connect takes longer than is usual.
    var slow = false
    /// Its close has taken longer than it may.
    var lingers = false
    /// Has a connection that must be closed (as opposed to a connect that is abandoned).
    var connected = false
    var backend: Int32 = -1
    /// Neighbours in an idle list; `next` also links free slots.
    var next: Int32 = -1
    var previous: Int32 = -1
    var idleList: Int32 = -1
    /// What the connection matches: an index into the attribute table.
    var attributes: Int32 = 0
    /// The waiter it is being acquired for.
    var waiter: Int32 = -1
    /// The worker it sits on, `noAffinity` if none.
    var affinity: Int = .noAffinity
    /// When the operation under way ends.
    var deadline: Int64 = .never
    /// When it was connected; before that, when the connect began.
    var connectedAt: Int64 = 0
    /// Last connected, checked or given back.
    var activeAt: Int64 = 0
    var claimedAt: Int64 = 0
    /// The time between checks, drawn anew after each.
    var checkEvery: Int64 = .never
    /// A check wanted by then, whatever `checkEvery` says.
    var checkBy: Int64 = .never
    /// Fixed at connect: when it is too old.
    var retireAt: Int64 = .never
    /// What the timer heap holds for it.
    var timerAt: Int64 = .never
    var attempt: Int32 = 0
}

extension Int {
    /// Stands for "sits on no worker".
    @usableFromInline static var noAffinity: Int { .min }
}

/// How many slots are in each state.
struct SlotCounts: Equatable, Sendable {
    private(set) var connecting = 0
    private(set) var idle = 0
    private(set) var acquiring = 0
    private(set) var claimed = 0
    private(set) var recycling = 0
    private(set) var checking = 0
    private(set) var closing = 0

    /// Everything that is or may become a socket.
    var all: Int { live + closing }
    /// Connections that work, and connects in flight.
    var live: Int { connecting + usable }
    /// Connections that work.
    var usable: Int { idle + acquiring + claimed + recycling + checking }
    /// In some claimer's interest right now.
    var busy: Int { claimed + acquiring + recycling }

    mutating func add(_ change: Int, to state: SlotState) {
        switch state {
        case .free: break
        case .connecting: connecting += change
        case .idle: idle += change
        case .acquiring: acquiring += change
        case .claimed: claimed += change
        case .recycling: recycling += change
        case .checking: checking += change
        case .closing: closing += change
        }
    }
}
