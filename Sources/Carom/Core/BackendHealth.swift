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
    private(set) var lastError: String?
    /// Failures of late: the fewer, the sooner the backend is chosen.
    var window: FailureWindow
    /// Connects failed in a row for the backend's own fault, and since when any failed.
    private var attempts = 0
    private var failingSince: Int64 = .never

    init(window: FailureWindow) {
        self.window = window
    }

    /// Failed connects in a row before a backend can be dead: one or two are an accident.
    private static var attemptsOfTheDead: Int { 3 }

    /// A connect succeeded. The series of failures goes on until a connection has proved stable.
    mutating func connected() {
        isProven = true
        isUnreachable = false
        attempts = 0
        isRefused = false
        failingSince = .never
    }

    /// A connect failed; the failure itself is still to be recorded.
    mutating func connectFailed(_ kind: FailureKind, now: Int64) {
        isUnreachable = true
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

    /// Sets when the next connect may be.
    mutating func wait(until instant: Int64) {
        notBefore = instant
    }

    /// A connection has proved stable: the series is over. False: the backend has become unreachable since.
    mutating func endSeries() -> Bool {
        guard !isUnreachable else { return false }
        failures = 0
        notBefore = .min
        return true
    }

    /// Whether connects fail, so that losing the last connection may be the end.
    var isFailingToConnect: Bool { attempts > 0 }

    /// The state that follows, given how many connections work; nil: as it was.
    func state(usable: Int, failedAfter: Int64, now: Int64) -> PoolStats.BackendState? {
        let hasFailedLong = attempts >= Self.attemptsOfTheDead && now - failingSince >= failedAfter
        if isRefused || hasFailedLong, usable == 0 { return .dead }
        if failures > 0 { return .suspect }
        return isProven ? .online : nil
    }
}
