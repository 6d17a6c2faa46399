// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// The idle connection to lend, -1 if none will do: the one the claimer used last, else one of the best backend,
    /// there one of the claimer's worker, there the one used last. Where connections take turns it is that whose turn it is.
    @inline(__always)
    mutating func choose(_ request: borrowing ClaimRequest, now: Int64) -> Int {
        if ready.isEmpty { return -1 }
        if let preferred = request.preferredSlot {
            let slot = Int(preferred.index)
            if slot < slots.count, slots[slot].generation == preferred.generation, slots[slot].state == .idle,
                !policy.rotates,
                request.requirement.isEmpty
                    || attributes.matches(slots[slot].attributes, request.requirement)
            {
                return slot
            }
        }
        let affinity = request.affinity ?? .noAffinity
        if ready.count == 1 {
            return chooseFromLists(Int(ready[0]), request.requirement, affinity)
        }
        return chooseAmongBackends(request.requirement, affinity, now: now)
    }

    private mutating func chooseAmongBackends(
        _ requirement: [String: String], _ affinity: Int, now: Int64
    ) -> Int {
        if policy.source.balance == .randomOfTwo, let (first, second) = twoAtRandom(now: now) {
            let slot = chooseFromLists(first, requirement, affinity)
            if slot >= 0 { return slot }
            let other = chooseFromLists(second, requirement, affinity)
            if other >= 0 { return other }
        }
        var best = -1
        var bestBackend = -1
        for entry in ready {
            let backend = Int(entry)
            if best >= 0, !isBetter(backend, than: bestBackend, now: now) { continue }
            let slot = chooseFromLists(backend, requirement, affinity)
            if slot >= 0 {
                best = slot
                bestBackend = backend
            }
        }
        return best
    }

    /// Rank first, then fewer recent failures, then fewer connections lent for its weight, then its turn.
    mutating func isBetter(_ one: Int, than other: Int, now: Int64) -> Bool {
        let first = backends[one].rank
        let second = backends[other].rank
        if first != second { return first < second }
        let firstScore = backends[one].health.window.score(now)
        let secondScore = backends[other].health.window.score(now)
        if firstScore != secondScore { return firstScore < secondScore }
        let firstLoad = Double(backends[one].counts.claimed) / backends[one].share
        let secondLoad = Double(backends[other].counts.claimed) / backends[other].share
        if firstLoad != secondLoad { return firstLoad < secondLoad }
        return backends[one].pass < backends[other].pass
    }

    /// The most recently used idle connection of the wanted worker, or of any, that meets the requirement.
    @inline(__always)
    private func chooseFromLists(_ backend: Int, _ requirement: [String: String], _ affinity: Int) -> Int {
        var best: Int32 = -1
        for idleList in backends[backend].idleLists.indices {
            let head = backends[backend].idleLists[idleList].head
            if head < 0 { continue }
            if !requirement.isEmpty,
                !attributes.matches(backends[backend].idleLists[idleList].attributes, requirement)
            {
                continue
            }
            if backends[backend].idleLists[idleList].affinity == affinity { return Int(head) }
            if best < 0 || slots[Int(head)].activeAt > slots[Int(best)].activeAt { best = head }
        }
        return Int(best)
    }

    /// Puts a connection among the idle ones, as the one used last. Where connections take turns there is one list for all workers, and
    /// it goes to the end.
    mutating func putIdle(_ slot: Int, now: Int64) {
        move(slot, to: .idle)
        let backend = Int(slots[slot].backend)
        let affinity = policy.rotates ? .noAffinity : slots[slot].affinity
        let idleList = idleList(backend, slots[slot].attributes, affinity)
        slots[slot].idleList = Int32(idleList)
        defer {
            if backends[backend].readyPosition < 0 {
                backends[backend].readyPosition = Int32(ready.count)
                ready.append(Int32(backend))
            }
            arm(slot, by: idleDeadline(slot))
        }
        if policy.rotates { return append(slot, to: idleList, of: backend) }
        slots[slot].previous = -1
        let head = backends[backend].idleLists[idleList].head
        slots[slot].next = head
        if head >= 0 {
            slots[Int(head)].previous = Int32(slot)
        } else {
            backends[backend].idleLists[idleList].tail = Int32(slot)
        }
        backends[backend].idleLists[idleList].head = Int32(slot)
    }

    private mutating func append(_ slot: Int, to idleList: Int, of backend: Int) {
        let tail = backends[backend].idleLists[idleList].tail
        slots[slot].previous = tail
        slots[slot].next = -1
        if tail >= 0 {
            slots[Int(tail)].next = Int32(slot)
        } else {
            backends[backend].idleLists[idleList].head = Int32(slot)
        }
        backends[backend].idleLists[idleList].tail = Int32(slot)
    }

    /// Takes a connection out of its idle list; its state is still to be changed.
    @inline(__always)
    mutating func takeIdle(_ slot: Int) {
        let backend = Int(slots[slot].backend)
        let idleList = Int(slots[slot].idleList)
        let (previous, next) = (slots[slot].previous, slots[slot].next)
        if previous >= 0 {
            slots[Int(previous)].next = next
        } else {
            backends[backend].idleLists[idleList].head = next
        }
        if next >= 0 {
            slots[Int(next)].previous = previous
        } else {
            backends[backend].idleLists[idleList].tail = previous
        }
        slots[slot].next = -1
        slots[slot].previous = -1
        slots[slot].idleList = -1
        if backends[backend].counts.idle == 1 { leaveReady(backend) }
    }

    private mutating func leaveReady(_ backend: Int) {
        let position = Int(backends[backend].readyPosition)
        backends[backend].readyPosition = -1
        let last = ready.removeLast()
        if position < ready.count {
            ready[position] = last
            backends[Int(last)].readyPosition = Int32(position)
        }
    }

    /// The list of these attributes and this worker; an empty list takes on a new meaning before one is added.
    private mutating func idleList(_ backend: Int, _ attributes: Int32, _ affinity: Int) -> Int {
        var empty = -1
        for idleList in backends[backend].idleLists.indices {
            let existing = backends[backend].idleLists[idleList]
            if existing.affinity == affinity, existing.attributes == attributes { return idleList }
            if existing.head < 0 { empty = idleList }
        }
        if empty >= 0 {
            backends[backend].idleLists[empty] = IdleList(attributes: attributes, affinity: affinity)
            return empty
        }
        backends[backend].idleLists.append(IdleList(attributes: attributes, affinity: affinity))
        return backends[backend].idleLists.count - 1
    }

    /// The idle connection of a backend that was used longest ago.
    func coldest(_ backend: Int) -> Int? {
        var coldest: Int32 = -1
        for idleList in backends[backend].idleLists {
            let end = policy.rotates ? idleList.head : idleList.tail
            if end < 0 { continue }
            if coldest < 0 || slots[Int(end)].activeAt < slots[Int(coldest)].activeAt { coldest = end }
        }
        return coldest < 0 ? nil : Int(coldest)
    }
}
