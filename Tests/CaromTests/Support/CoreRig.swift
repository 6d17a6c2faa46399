// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

/// A pool core in a world that can be scripted: virtual time, connects that take time or fail, and books about
/// everything that happens.
final class CoreRig {
    enum Outcome {
        case succeed(after: Int64 = 0)
        case fail(after: Int64 = 0, reason: String = "refused", kind: FailureKind = .backend)
        case hang
    }

    enum ClaimState: Hashable {
        case waiting
        case served(SlotID, at: Int64)
        case failed(PoolError.Code, at: Int64)

        var slot: SlotID? {
            switch self {
            case .served(let slot, _): slot
            case .waiting, .failed: nil
            }
        }
        var code: PoolError.Code? {
            switch self {
            case .failed(let code, _): code
            case .waiting, .served: nil
            }
        }
    }

    struct Attempt {
        var at: Int64
        var backend: BackendID
        var slot: SlotID
        var affinity: Int?
    }

    struct Closing {
        var at: Int64
        var slot: SlotID
    }

    private struct Happening {
        var at: Int64
        var order: Int
        var what: (CoreRig) -> Void
    }

    var core: PoolCore
    var now: Int64 = 0
    var connect: (Backend) -> Outcome = { _ in .succeed() }
    var check: (SlotID) -> Outcome = { _ in .succeed() }
    var recycle: (SlotID) -> Outcome = { _ in .succeed() }
    var acquire: (SlotID) -> Outcome = { _ in .succeed() }
    var closeDelay: Int64 = 0
    var learn: (Backend) -> [String: String] = { _ in [:] }
    /// Checks the invariants after every event.
    var checking = true

    var claims: [ClaimState] = []
    var attempts: [Attempt] = []
    var closings: [Closing] = []
    var hurries: [SlotID] = []
    var checks: [Closing] = []
    var acquires: [(at: Int64, slot: SlotID, validate: Bool)] = []
    var recycles: [Closing] = []
    var events: [(at: Int64, event: PoolEvent)] = []
    var revoked: [SlotID] = []
    var stoppedAt: Int64?
    /// Sockets the world sees: from the beginning of a connect until closed or failed.
    var sockets = 0
    var mostSockets = 0
    var broken: String?

    private var happenings: [Happening] = []
    private var order = 0
    private var claimOf: [WaiterID: Int] = [:]

    init(_ policy: Policy = Policy(), seed: UInt64 = 7, acquires: Bool = false, backends: [Backend]? = nil) {
        core = PoolCore(policy: policy, seed: seed, acquires: acquires, observed: true, now: 0)
        if let backends { resolve(backends) }
    }

    func resolve(_ backends: [Backend]) {
        core.resolved(BackendSet(backends), now: now)
        follow()
    }

    @discardableResult
    func claim(_ request: ClaimRequest = .any, timeout: Int64? = nil) -> Int {
        let index = claims.count
        claims.append(.waiting)
        switch core.claim(request, timeout: timeout, now: now) {
        case .hand(let slot): claims[index] = .served(slot, at: now)
        case .wait(let waiter): claimOf[waiter] = index
        case .fail(let code): claims[index] = .failed(code, at: now)
        }
        follow()
        return index
    }

    func waiter(of claim: Int) -> WaiterID? {
        claimOf.first { $0.value == claim }?.key
    }

    func giveBack(_ claim: Int, _ kind: ReturnKind = .clean) {
        guard case .served(let slot, _) = claims[claim] else { preconditionFailure("not served") }
        giveBack(slot, kind)
    }

    func giveBack(_ slot: SlotID, _ kind: ReturnKind = .clean) {
        switch core.giveBack(slot, kind, affinity: .noAffinity, now: now) {
        case .serve(let waiter): served(waiter, slot)
        case .kept, .late: break
        }
        follow()
    }

    func run(_ seconds: Double) { run(until: now + Int64(seconds * 1e9)) }

    /// Lets time pass, everything happening at its instant.
    func run(until end: Int64) {
        while true {
            let next = min(happenings.first?.at ?? .never, core.nextDeadline)
            if next > end { break }
            now = max(now, next)
            if let first = happenings.first, first.at <= now {
                happenings.removeFirst()
                first.what(self)
            } else {
                core.tick(now)
            }
            follow()
        }
        now = max(now, end)
    }

    func later(_ delay: Int64, _ what: @escaping (CoreRig) -> Void) {
        order += 1
        let happening = Happening(at: now.after(delay), order: order, what: what)
        let place = happenings.lastIndex { $0.at <= happening.at }.map { $0 + 1 } ?? 0
        happenings.insert(happening, at: place)
    }

    /// Does what the core wants.
    func follow() {
        let effects = core.effects
        core.effects = []
        for effect in effects { follow(effect) }
        if checking, broken == nil { broken = core.brokenInvariant(now: now) }
    }

    private func follow(_ effect: PoolEffect) {
        switch effect {
        case .connect(let slot, let backend, _, let affinity, _):
            attempts.append(Attempt(at: now, backend: backend.id, slot: slot, affinity: affinity))
            sockets += 1
            mostSockets = max(mostSockets, sockets)
            begin(slot, backend)
        case .check(let slot):
            checks.append(Closing(at: now, slot: slot))
            answer(check(slot)) { $0.core.checked(slot, failure: $1, now: $0.now) }
        case .recycle(let slot):
            recycles.append(Closing(at: now, slot: slot))
            answer(recycle(slot)) { $0.core.recycled(slot, failure: $1, now: $0.now) }
        case .acquire(let slot, let validate):
            acquires.append((now, slot, validate))
            answer(acquire(slot)) { $0.core.acquired(slot, failure: $1, now: $0.now) }
        case .abandon(let slot):
            later(0) {
                $0.sockets -= 1
                $0.core.connectFailed(slot, .backend, "cancelled", now: $0.now)
            }
        case .close(let slot):
            closings.append(Closing(at: now, slot: slot))
            later(closeDelay) {
                $0.sockets -= 1
                $0.core.closed(slot, now: $0.now)
            }
        case .hurry(let slot): hurries.append(slot)
        case .forget, .backendGone, .overdueReturned: break
        case .overdue: break
        case .serve(let waiter, let slot): served(waiter, slot)
        case .fail(let waiter, let code, _, _):
            if let claim = claimOf.removeValue(forKey: waiter) { claims[claim] = .failed(code, at: now) }
        case .revoked(let slot, _, _): revoked.append(slot)
        case .stopped: stoppedAt = now
        case .event(let event): events.append((now, event))
        }
    }

    private func begin(_ slot: SlotID, _ backend: Backend) {
        switch connect(backend) {
        case .succeed(let delay):
            later(delay) {
                if !$0.core.connected(slot, learnt: $0.learn(backend), affinity: .noAffinity, now: $0.now) {
                    $0.closings.append(Closing(at: $0.now, slot: slot))
                }
            }
        case .fail(let delay, let reason, let kind):
            later(delay) {
                guard let index = $0.core.find(slot), $0.core.slots[index].state == .connecting else {
                    return
                }
                $0.sockets -= 1
                $0.core.connectFailed(slot, kind, reason, now: $0.now)
            }
        case .hang: break
        }
    }

    private func answer(_ outcome: Outcome, _ tell: @escaping (CoreRig, String?) -> Void) {
        switch outcome {
        case .succeed(let delay): later(delay) { tell($0, nil) }
        case .fail(let delay, let reason, _): later(delay) { tell($0, reason) }
        case .hang: break
        }
    }

    private func served(_ waiter: WaiterID, _ slot: SlotID) {
        if let claim = claimOf.removeValue(forKey: waiter) { claims[claim] = .served(slot, at: now) }
    }
}

// MARK: Looking

extension CoreRig {
    var stats: PoolStats { core.stats(name: "test", now: now) }

    func stats(_ name: String) -> PoolStats.BackendStats {
        stats.backends.first { $0.backend.name == name }!
    }

    /// Connections that work, by backend in order of name.
    func usable() -> [Int] {
        stats.backends.sorted { $0.backend.name < $1.backend.name }.map {
            $0.idle + $0.claimed + $0.acquiring + $0.checking + $0.recycling
        }
    }

    func backendOf(_ slot: SlotID) -> String? {
        attempts.last { $0.slot == slot }?.backend.name
    }

    static func backends(_ count: Int, from first: Int = 1) -> [Backend] {
        (first..<first + count).map { backend("b\($0 < 10 ? "0" : "")\($0)") }
    }

    static func backend(_ name: String, priority: Int = 0, weight: Int = 1) -> Backend {
        Backend(
            name: name, address: .unix(path: "/\(name)"), priority: priority, weight: weight)
    }
}

extension Policy {
    static func with(_ change: (inout Policy) -> Void) -> Policy {
        var policy = Policy()
        change(&policy)
        return policy
    }
}

let ms: Int64 = 1_000_000
let second: Int64 = 1_000_000_000
