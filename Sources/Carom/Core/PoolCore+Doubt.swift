// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Backends that may not answer: what makes the pool turn to others, and when it asks again.
extension PoolCore {
    /// When a connect that is under way becomes slow.
    func slowAt(_ slot: Int) -> Int64 {
        let health = backends[Int(slots[slot].backend)].health
        return slots[slot].connectedAt.after(health.hedgeDelay(atLeast: policy.hedgeDelay))
    }

    /// A connect is still under way. If it takes longer than is usual its backend is doubted: others are tried beside it.
    mutating func watchConnect(_ slot: Int, now: Int64) {
        if slots[slot].slow { return arm(slot, by: slots[slot].deadline) }
        let at = slowAt(slot)
        if now < at { return arm(slot, by: min(at, slots[slot].deadline)) }
        arm(slot, by: slots[slot].deadline)
        slots[slot].slow = true
        slowConnects += 1
        let backend = Int(slots[slot].backend)
        backends[backend].health.connectIsSlow("connect: " + silence(slot, now: now))
        evaluate(backend, now: now)
        noteDoubt(backend, now: now)
        if makesProbePlace { needsPlan = true }
        needsConnects = true
    }

    private func silence(_ slot: Int, now: Int64) -> String {
        "no answer within \(Duration.nanoseconds(now.since(slots[slot].connectedAt)))"
    }

    /// The slot's connect is over, whatever came of it.
    mutating func endConnecting(_ slot: Int) {
        guard slots[slot].slow else { return }
        slots[slot].slow = false
        slowConnects -= 1
    }

    /// The slow connect that began first makes room for another backend's.
    mutating func giveUpSlowest(_ now: Int64) {
        var slowest = -1
        for slot in slots.indices where slots[slot].slow {
            if slowest < 0 || slots[slot].connectedAt < slots[slowest].connectedAt { slowest = slot }
        }
        guard slowest >= 0 else { return }
        let backend = Int(slots[slowest].backend)
        // In a place that was made for it, a connect may take longer the next time, too, but not longer and longer.
        let time = now.since(slots[slowest].connectedAt)
        backends[backend].health.connectGivenUp(
            after: backend == probedBackend ? min(time, Self.probePatience) : time)
        recordFailedConnect(slowest, .backend, "connect: " + silence(slowest, now: now), now: now)
        close(slowest, .connectAbandoned, now: now)
    }

    /// What is known of a backend has changed; the plan follows if that makes the difference between counting on it or not,
    /// now or from a certain instant on.
    mutating func noteDoubt(_ backend: Int, now: Int64) {
        let isDoubted = !backends[backend].isDead && backends[backend].health.isDoubtful(now)
        if isDoubted != backends[backend].isDoubted { needsPlan = true }
        if isDoubted, backends[backend].health.doubtEnd < replanAt { needsPlan = true }
    }

    /// A claim finds every backend dead. Those that did not let us in are asked again, if that is not just over: whatever
    /// was wrong may have been put right. False: there is none.
    mutating func forgetRefusals(_ now: Int64) -> Bool {
        var isAny = false
        for backend in order where backends[backend].isDead {
            guard backends[backend].health.forgetRefusal(now) else { continue }
            isAny = true
            evaluate(backend, now: now)
        }
        return isAny
    }
}
