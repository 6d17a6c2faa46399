// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension PoolEngine {
    /// Something is parked that no sweep would find yet.
    func beginSweeping() {
        decide { state, now in state.beginSweeping(now) }
    }

    @usableFromInline
    func affinity(of box: AnyPooledConnection) -> Int {
        connector.standing(box).affinity
    }
}

/// The pool's side of parking, under the lock.
///
/// Nothing is told when a connection is parked. While anything may be, the pool sweeps: one that is found parked twice
/// with no claim in between is taken in, as idle since before it was first found.
extension EngineState {
    mutating func beginSweeping(_ now: Int64) {
        if parking.isInUse.load(ordering: .relaxed) { return }
        parking.isInUse.store(true, ordering: .sequentiallyConsistent)
        lastSweep = now
        core.beginSweeping(now)
    }

    /// Whether the core has come to want something of parking.
    @inline(__always)
    var mustAttendToParking: Bool {
        mutating get {
            core.needsRecall || core.needsParkedCount
                || core.mayPark != parking.isOpen.load(ordering: .relaxed)
        }
    }

    /// Lets holders park or stops them, and counts and recalls for the core. What is parked when they are stopped is taken
    /// in, and before anything is counted: the core shall not take it for lent.
    mutating func attendToParking(_ now: Int64) {
        if core.mayPark {
            parking.open()
            isNothingParked = false
        } else {
            parking.close()
            takeAllParked(now)
        }
        if core.needsParkedCount { core.counted(parked: countParked(), now: now) }
        if core.needsRecall {
            core.needsRecall = false
            recallDue(now)
        }
    }

    /// Before a claim waits or fails: takes in the parked connection that suits it best, if none is idle that does.
    mutating func takeParked(for request: ClaimRequest, _ now: Int64) {
        if isNothingParked { return }
        parking.close()
        guard core.mode == .running, parking.isInUse.load(ordering: .sequentiallyConsistent) else { return }
        while core.choose(request, now: now) < 0 {
            var best: AnyPooledConnection?
            for index in boxes.indices {
                guard let box = lent(index), box.isParked, core.meets(box.slot, request.requirement) else {
                    continue
                }
                if let other = best, !core.prefers(box.slot, to: other.slot, request, now: now) { continue }
                best = box
            }
            guard let best else { return }
            take(best, now)
        }
    }

    /// Takes in whatever is parked. While holders may not park it stays at that, and nobody needs to look again.
    mutating func takeAllParked(_ now: Int64) {
        if isNothingParked { return }
        if parking.isInUse.load(ordering: .sequentiallyConsistent) {
            for index in boxes.indices {
                if let box = lent(index) { take(box, now) }
            }
            core.counted(parked: 0, now: now)
        }
        isNothingParked = !parking.isOpen.load(ordering: .relaxed)
    }

    /// Has those connections returned of which the core would close some if they came back.
    mutating func recallDue(_ now: Int64) {
        for index in boxes.indices {
            if let box = lent(index), core.shouldReturn(box.slot, now: now) { recall(box, now) }
        }
    }

    mutating func sweep(_ now: Int64) {
        var parked = 0
        for index in boxes.indices {
            guard let box = lent(index) else { continue }
            countClaims(box)
            if core.shouldReturn(box.slot, now: now) {
                recall(box, now)
                continue
            }
            let found = box.found
            guard found.isParked else { continue }
            if box.swept == found {
                take(box, now)
            } else {
                box.swept = found
                box.sweptSince = lastSweep
                parked += 1
            }
        }
        lastSweep = now
        if parked == 0 {
            parking.isInUse.store(false, ordering: .sequentiallyConsistent)
            parked = countParked()
            if parked > 0 { parking.isInUse.store(true, ordering: .sequentiallyConsistent) }
        }
        core.swept(parked: parked, now: now)
    }

    /// How many are parked of each backend; the core hears of the reclaims.
    mutating func parkedByBackend() -> [Int: Int] {
        var parked: [Int: Int] = [:]
        for index in boxes.indices {
            guard let box = lent(index) else { continue }
            countClaims(box)
            if box.isParked { parked[core.backendIndex(of: box.slot), default: 0] += 1 }
        }
        return parked
    }

    func countParked() -> Int {
        boxes.indices.count { lent($0)?.isParked == true }
    }

    /// Tells the core of the reclaims it has not heard of.
    mutating func countClaims(_ box: AnyPooledConnection) {
        let claims = box.found.claims
        if claims == box.countedClaims { return }
        core.countReclaims(box.slot, claims &- box.countedClaims)
        box.countedClaims = claims
    }

    /// Makes the connection a new holder's.
    mutating func markLent(_ box: AnyPooledConnection) {
        let lent = box.found.lent
        box.holding.store(lent.bits, ordering: .relaxed)
        box.countedClaims = lent.claims
    }

    /// The connection of this slot if it is lent: in use or parked.
    private func lent(_ index: Int) -> AnyPooledConnection? {
        guard let box = boxes[index], core.isClaimed(box.slot) else { return nil }
        return box
    }

    /// Takes the connection in if it is parked.
    @discardableResult
    private mutating func take(_ box: AnyPooledConnection, _ now: Int64) -> Bool {
        let found = box.found
        guard found.isParked, box.take(found) else { return false }
        countClaims(box)
        let since = box.swept == found ? box.sweptSince : lastSweep
        let affinity = box.parkedAffinity.load(ordering: .relaxed)
        switch core.giveBack(box.slot, .parked(since: since), affinity: affinity, now: now) {
        case .serve(let waiter): core.effects.append(.serve(waiter, box.slot))
        case .kept, .late: break
        }
        return true
    }

    /// Takes the connection in if it is parked; if it is in use, its holder's next park gives it back.
    mutating func recall(_ box: AnyPooledConnection, _ now: Int64) {
        while true {
            let found = box.found
            if found.isParked {
                if take(box, now) { return }
            } else {
                let (done, _) = box.holding.compareExchange(
                    expected: found.bits, desired: found.recalled.bits, ordering: .sequentiallyConsistent)
                if done { return }
            }
        }
    }
}

extension AnyPooledConnection {
    final var found: Holding { Holding(bits: holding.load(ordering: .sequentiallyConsistent)) }
    final var isParked: Bool { found.isParked }
}
