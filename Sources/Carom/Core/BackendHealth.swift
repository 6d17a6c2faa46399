// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a pool has seen of one backend's failures, and when it may be tried again.
struct BackendHealth: Sendable {
    /// Position in the present series of failures; 0 if there is none.
    private(set) var failures = 0
    /// No connect before this.
    private(set) var notBefore: Int64 = .min
    /// The last connect failed.
    private(set) var isUnreachable = false
    /// A connect has succeeded at least once.
    private(set) var isProven = false
    /// The last connect was answered, and we were not let in: waiting does not heal that.
    private(set) var isRefused = false
    /// A connect has been under way for longer than is usual, and none has ended since.
    private(set) var isSlow = false
    private(set) var lastError: String?
    /// Failures of late: the fewer, the sooner the backend is chosen.
    var window: FailureWindow
    /// Connects failed in a row for the backend's own fault, and since when any failed.
    private var attempts = 0
    private var failingSince: Int64 = .never
    /// What connects take, the last ones counting most; 0 before the first.
    private var usualConnect: Int64 = 0
    /// No connect before this for a claim that waits, after a refusal.
    private var notBeforeIfAwaited: Int64 = .min

    init(window: FailureWindow) {
        self.window = window
    }

    /// Failed connects in a row before a backend can be dead: one or two are an accident.
    private static var attemptsOfTheDead: Int { 3 }

    /// How many usual connects one may last before others are tried beside it.
    private static var usualConnectsOfTheSlow: Int64 { 3 }

    /// A connect succeeded. The series of failures goes on until a connection has proved stable.
    mutating func connected(after time: Int64) {
        usualConnect = usualConnect == 0 ? time : usualConnect + (time - usualConnect) / 4
        isProven = true
        isUnreachable = false
        isSlow = false
        attempts = 0
        isRefused = false
        failingSince = .never
    }

    /// A connect failed; the failure itself is still to be recorded.
    mutating func connectFailed(_ kind: FailureKind, now: Int64) {
        isUnreachable = true
        isSlow = false
        isRefused = kind == .authentication
        if kind != .other { attempts += 1 }
        if failingSince == .never { failingSince = now }
    }

    /// Records a failure. True: it is one step further in the series, whose wait is still to be set by
    /// ``wait(until:)``. False: it belongs to the last step, whose wait still runs.
    mutating func recordFailure(_ reason: String, blamed: Bool, restart: Bool, now: Int64) -> Bool {
        lastError = reason
        if blamed { window.add(now) }
        guard now >= notBefore else { return false }
        failures = restart ? 1 : failures + 1
        return true
    }

    /// Sets when the next connect may be, and when it may be for a claim that waits.
    mutating func wait(until instant: Int64, ifAwaited awaited: Int64? = nil) {
        notBefore = instant
        notBeforeIfAwaited = awaited ?? instant
    }

    /// When the next connect may be.
    func nextConnect(isAwaited: Bool) -> Int64 { isAwaited ? notBeforeIfAwaited : notBefore }

    /// How long a connect may take until others are tried beside it.
    func hedgeDelay(atLeast least: Int64) -> Int64 {
        least == .never ? .never : max(least, usualConnect * Self.usualConnectsOfTheSlow)
    }

    /// A connect takes longer than is usual.
    mutating func connectIsSlow(_ reason: String) {
        isSlow = true
        lastError = reason
    }

    /// A slow connect was given up for another backend's sake. The next one gets longer, in case it is just slow.
    mutating func connectGivenUp(after time: Int64) {
        usualConnect = max(usualConnect, time)
    }

    /// Whether it is uncertain that a connect would succeed now: others are the better choice.
    func isDoubtful(_ now: Int64) -> Bool { isUnreachable || isSlow || now < notBefore }

    /// When doubt ends by itself; `never` if a connect must show.
    var doubtEnd: Int64 { isUnreachable || isSlow ? .never : notBefore }

    /// Somebody asks again, and the pause after the refusal is over: its cause may be gone. False: not yet.
    mutating func forgetRefusal(_ now: Int64) -> Bool {
        guard isRefused, now >= notBeforeIfAwaited else { return false }
        isRefused = false
        attempts = 0
        failingSince = .never
        wait(until: now)
        return true
    }

    /// A connection has proved stable: the series is over. False: the backend has become unreachable since.
    mutating func endSeries() -> Bool {
        guard !isUnreachable, !isSlow else { return false }
        failures = 0
        wait(until: .min)
        return true
    }

    /// Whether connects fail, so that losing the last connection may be the end.
    var isFailingToConnect: Bool { attempts > 0 }

    /// The state that follows, given how many connections work; nil: as it was.
    func state(usable: Int, failedAfter: Int64, now: Int64) -> PoolStats.BackendState? {
        let hasFailedLong = attempts >= Self.attemptsOfTheDead && now - failingSince >= failedAfter
        if isRefused || hasFailedLong, usable == 0 { return .dead }
        if failures > 0 || isSlow { return .suspect }
        return isProven ? .online : nil
    }
}
