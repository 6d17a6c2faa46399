// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@testable import Carom

/// Throws random events at a core that keeps its own books beside it: whatever the core says must agree with them,
/// and its invariants must hold after each event.
final class RandomWalk {
    var core: PoolCore
    private var random: SeededRandom
    private var now: Int64 = 0
    private var connecting: [SlotID] = []
    private var abandoned: [SlotID] = []
    private var examining: [(slot: SlotID, what: Examination)] = []
    private var closing: [SlotID] = []
    private var claimed: [SlotID] = []
    /// Of the lent ones, those at rest with their holders.
    private var parked: Set<SlotID> = []
    /// Holders may not park, and what was parked has been taken in.
    private var isNothingParked = false
    private var waiting: [WaiterID] = []
    private var open = 0
    private var limit = 16
    private var excess = 0
    private(set) var trace: UInt64 = 0
    private var complaint: String?

    private enum Examination { case check, recycle, acquire }

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        let acquires = seed % 3 == 0
        core = PoolCore(
            policy: Self.policy(maxSlots: 16, &random), seed: seed, acquires: acquires, observed: false,
            now: 0)
        core.resolved(BackendSet(CoreRig.backends(3)), now: 0)
        follow()
    }

    /// Runs so many events; the first thing that is wrong, if anything is.
    func run(_ events: Int) -> String? {
        for event in 0..<events {
            step()
            follow()
            if complaint == nil { complaint = core.brokenInvariant(now: now) ?? disagreement() }
            if let complaint { return "event \(event): \(complaint)" }
        }
        return settleDown()
    }

    private static func policy(maxSlots: Int, _ random: inout SeededRandom) -> Policy {
        var policy = Policy()
        policy.maxSlots = maxSlots
        policy.spares = random.below(10)
        policy.perBackendMax = 1 + random.below(16)
        policy.maxWaiters = 30
        policy.acquireRetries = random.below(3)
        policy.claimTimeout = .seconds(1 + random.below(30))
        policy.shrink = [.lowPass, .never, .afterIdle(.seconds(10))][random.below(3)]
        policy.leaseLimit = random.below(4) == 0 ? .seconds(20) : nil
        policy.leakThreshold = random.below(4) == 0 ? .seconds(5) : nil
        policy.codelTarget = random.below(4) == 0 ? .milliseconds(100) : nil
        policy.maxLifetime = .seconds(60)
        policy.failFastWhenEmpty = random.below(2) == 0
        policy.rotates = random.below(4) == 0
        policy.scope = [.all, .only(["role": "primary"]), .preferring(["role": "standby"])][random.below(3)]
        policy.exclusive = random.below(2) == 0 ? ["role": "primary"] : nil
        policy.watchInterval = random.below(2) == 0 ? .seconds(1) : nil
        return policy
    }

    private func step() {
        switch random.below(100) {
        case 0..<22: claim()
        case 22..<36: giveBack()
        case 36..<42: parking()
        case 42..<48: cancel()
        case 48..<62: connect()
        case 62..<74: examine()
        case 74..<82: close()
        case 82..<95: pass()
        case 95..<97: resolve()
        case 97: operate()
        case 98: relearn()
        default: lateAnswers()
        }
    }

    private func pick<T>(_ list: inout [T]) -> T? {
        list.isEmpty ? nil : list.remove(at: random.below(list.count))
    }

    private func claim() {
        var request = ClaimRequest.any
        if random.below(5) == 0 {
            request.requirement = ["role": random.below(2) == 0 ? "primary" : "standby"]
            request.isPreference = random.below(2) == 0
        }
        if random.below(3) == 0 { request.affinity = random.below(3) }
        if random.below(4) == 0 { request.preferredSlot = claimed.first ?? closing.first }
        if random.below(2) == 0, let slot = core.claimIdle(request, now: now) { return claimed.append(slot) }
        let timeout: Int64? = random.below(3) == 0 ? Int64(random.below(5)) * second / 2 : nil
        switch core.claim(request, timeout: timeout, now: now) {
        case .hand(let slot): claimed.append(slot)
        case .wait(let waiter): waiting.append(waiter)
        case .fail: break
        }
    }

    private func giveBack() {
        guard let slot = pick(&claimed) else { return }
        parked.remove(slot)
        let kinds: [ReturnKind] = [
            .clean, .clean, .recycle, .untouched, .discard(.discarded, blame: true, suspect: false),
            .discard(.discarded, blame: false, suspect: true),
            .discard(.forgotten, blame: false, suspect: false),
        ]
        let affinity = random.below(3)
        switch core.giveBack(slot, kinds[random.below(kinds.count)], affinity: affinity, now: now) {
        case .serve(let waiter): served(waiter, slot)
        case .kept: break
        case .late: complaint = "a lease that is held was late"
        }
    }

    /// Holders park and reclaim; the pool counts, sweeps and takes.
    private func parking() {
        parked.formIntersection(claimed)
        switch random.below(5) {
        case 0, 1:
            guard core.mayPark, let slot = claimed.randomElement(using: &random) else { return }
            parked.insert(slot)
            if !core.isParkingUsed { core.beginSweeping(now) }
        case 2:
            guard let slot = parked.sorted(by: { $0.index < $1.index }).first else { return }
            parked.remove(slot)
            core.countReclaims(slot, 1)
        case 3: core.swept(parked: parked.count, now: now)
        default: takeParked()
        }
    }

    /// A connection changes its role, wherever it is.
    private func relearn() {
        guard let slot = core.slots.indices.randomElement(using: &random), core.slots[slot].connected else {
            return
        }
        let role = random.below(2) == 0 ? "primary" : "standby"
        if parked.contains(core.id(slot)) { takeParked() }
        core.learned(core.id(slot), ["role": role], now: now)
    }

    private func takeParked() {
        for slot in parked.sorted(by: { $0.index < $1.index }) {
            guard core.isClaimed(slot) else { continue }
            claimed.removeAll { $0 == slot }
            switch core.giveBack(slot, .parked(since: now - second / 2), affinity: random.below(3), now: now)
            {
            case .serve(let waiter): served(waiter, slot)
            case .kept: break
            case .late: complaint = "a parked connection was not there to be taken"
            }
        }
        parked = []
        if core.isParkingUsed { core.counted(parked: 0, now: now) }
    }

    private func cancel() {
        guard let waiter = pick(&waiting) else { return }
        if !core.cancel(waiter, now: now) { complaint = "a waiter was not there to be cancelled" }
    }

    private func connect() {
        guard let slot = pick(&connecting) else { return }
        if random.below(4) == 0 {
            open -= 1
            let kinds: [FailureKind] = [.backend, .authentication, .other]
            return core.connectFailed(slot, kinds[random.below(3)], "no", now: now)
        }
        let learnt = ["role": random.below(2) == 0 ? "primary" : "standby"]
        if !core.connected(slot, learnt: learnt, affinity: random.below(3), now: now) {
            complaint = "a connect in time was too late"
        }
    }

    private func examine() {
        guard let (slot, what) = pick(&examining) else { return }
        let failure = random.below(5) == 0 ? "bad" : nil
        switch what {
        case .check: core.checked(slot, failure: failure, now: now)
        case .recycle: core.recycled(slot, failure: failure, now: now)
        case .acquire: core.acquired(slot, failure: failure, now: now)
        }
    }

    private func close() {
        if random.below(2) == 0, let slot = pick(&abandoned) {
            open -= 1
            core.connectFailed(slot, .backend, "cancelled", now: now)
        } else if let slot = pick(&closing) {
            open -= 1
            core.closed(slot, now: now)
        }
    }

    private func pass() {
        let jumps: [Int64] = [0, ms, 20 * ms, second / 2, 3 * second, 12 * second, 60 * second]
        let end = now + jumps[random.below(jumps.count)]
        var turns = 0
        while core.nextDeadline <= end {
            now = max(now, core.nextDeadline)
            parked.formIntersection(claimed)
            if core.isParkingUsed { core.counted(parked: parked.count, now: now) }
            core.tick(now)
            if now >= core.sweepAt {
                parked.formIntersection(claimed)
                core.swept(parked: parked.count, now: now)
            }
            follow()
            turns += 1
            if turns > 100_000 {
                complaint = "the timer does not come to rest"
                return
            }
        }
        now = end
    }

    private func resolve() {
        let count = random.below(6)
        var backends = CoreRig.backends(count, from: 1 + random.below(4))
        for index in backends.indices {
            backends[index].priority = random.below(2)
            backends[index].weight = random.below(4)
        }
        core.resolved(BackendSet(backends), now: now)
    }

    private func operate() {
        switch random.below(4) {
        case 0: core.suspend()
        case 1, 2: core.resume(now: now)
        default:
            excess = max(excess, core.counts.all)
            limit = 1 + random.below(24)
            core.update(Self.policy(maxSlots: limit, &random), now: now)
        }
    }

    /// Answers nobody waits for any more must change nothing.
    private func lateAnswers() {
        let stale = SlotID(index: UInt32(random.below(20)), generation: .max)
        let before = core.counts
        core.checked(stale, failure: "late", now: now)
        core.closed(stale, now: now)
        let accepted = core.connected(stale, learnt: [:], affinity: 0, now: now)
        let answer = core.giveBack(stale, .clean, affinity: 0, now: now)
        let none = WaiterID(index: 0, generation: .max)
        if accepted || answer != .late || core.cancel(none, now: now) || core.counts != before {
            complaint = "a late answer had an effect"
        }
    }

    private func served(_ waiter: WaiterID, _ slot: SlotID) {
        guard let index = waiting.firstIndex(of: waiter) else {
            complaint = "a waiter was served that does not wait"
            return
        }
        waiting.remove(at: index)
        claimed.append(slot)
    }

    private func follow() {
        let effects = core.effects
        core.effects = []
        for effect in effects {
            follow(effect)
            note(effect)
        }
        // As the shell does it: taken in once when holders may park no more, and counted when asked.
        if core.mayPark {
            isNothingParked = false
        } else if !isNothingParked {
            isNothingParked = true
            takeParked()
        }
        parked.formIntersection(claimed)
        if core.needsParkedCount { core.counted(parked: parked.count, now: now) }
        core.needsRecall = false
        guard core.effects.isEmpty else { return follow() }
        let sockets = core.counts.all
        if sockets > max(limit, excess) { complaint = "\(sockets) sockets, \(limit) allowed" }
        excess = sockets > limit ? sockets : 0
    }

    private func follow(_ effect: PoolEffect) {
        switch effect {
        case .connect(let slot, _, _, _, _):
            connecting.append(slot)
            open += 1
        case .check(let slot): examining.append((slot, .check))
        case .recycle(let slot): examining.append((slot, .recycle))
        case .acquire(let slot, _): examining.append((slot, .acquire))
        case .abandon(let slot):
            connecting.removeAll { $0 == slot }
            abandoned.append(slot)
        case .close(let slot):
            examining.removeAll { $0.slot == slot }
            claimed.removeAll { $0 == slot }
            closing.append(slot)
        case .forget(let slot):
            if !core.isStopping { complaint = "a slot was given up that may have a socket" }
            open -= 1
            closing.removeAll { $0 == slot }
            abandoned.removeAll { $0 == slot }
        case .serve(let waiter, let slot): served(waiter, slot)
        case .fail(let waiter, _, _, _):
            if let index = waiting.firstIndex(of: waiter) {
                waiting.remove(at: index)
            } else {
                complaint = "a waiter failed that does not wait"
            }
        case .hurry, .revoked, .overdue, .overdueReturned, .backendGone, .stopped, .event: break
        }
    }

    /// What the core counts must be what the world has seen.
    private func disagreement() -> String? {
        let counts = core.counts
        if counts.claimed != claimed.count { return "\(counts.claimed) lent, \(claimed.count) held" }
        if counts.connecting != connecting.count { return "\(counts.connecting) connecting" }
        if counts.closing != closing.count + abandoned.count { return "\(counts.closing) closing" }
        if counts.acquiring + counts.recycling + counts.checking != examining.count { return "examined" }
        if core.queue.count + core.queue.acquiring != waiting.count { return "\(waiting.count) wait" }
        if counts.all != open { return "\(counts.all) slots, \(open) sockets" }
        return nil
    }

    /// Stops, returns everything, and sees nothing left.
    private func settleDown() -> String? {
        _ = core.stop(grace: second, now: now)
        follow()
        now += 2 * second
        core.tick(now)
        follow()
        while !closing.isEmpty || !abandoned.isEmpty {
            close()
            follow()
        }
        if core.mode != .stopped { return "did not stop: \(core.counts)" }
        if core.nextDeadline != .never { return "timers are left" }
        return waiting.isEmpty ? disagreement() : "waiters are left"
    }

    private func note(_ effect: PoolEffect) {
        let (kind, slot): (UInt64, SlotID?) =
            switch effect {
            case .connect(let slot, _, _, _, _): (1, slot)
            case .check(let slot): (2, slot)
            case .recycle(let slot): (3, slot)
            case .acquire(let slot, _): (4, slot)
            case .abandon(let slot): (5, slot)
            case .close(let slot): (6, slot)
            case .forget(let slot): (7, slot)
            case .serve(_, let slot): (8, slot)
            case .fail: (9, nil)
            case .hurry(let slot): (11, slot)
            case .revoked, .overdue, .overdueReturned, .backendGone, .stopped, .event: (10, nil)
            }
        let place = slot.map { UInt64($0.index) << 32 | UInt64($0.generation) } ?? 0
        trace = (trace &* 31) ^ (kind &+ place &* 7) ^ UInt64(bitPattern: now)
    }
}
