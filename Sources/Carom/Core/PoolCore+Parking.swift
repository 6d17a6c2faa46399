// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Connections that are lent and at rest: parked with their last holder. To the core they are claimed until they are
/// taken in; it is told at intervals how many there are, and leaves them out of demand.
extension PoolCore {
    /// Whether holders may keep connections by them: nobody waits for one, and no claim has to be seen.
    @inline(__always)
    var mayPark: Bool {
        mutating get { parksAtAll && queue.count == 0 && mode == .running && !isPressed }
    }

    /// No hook, timer or observer has to see each claim.
    var parksAtAll: Bool {
        !acquires && !observesClaims && policy.leakThreshold == .never && policy.leaseLimit == .never
            && policy.sweepInterval > 0
    }

    mutating func beginSweeping(_ now: Int64) {
        isParkingUsed = true
        sweepAt = now.after(policy.sweepInterval)
    }

    /// A sweep has found so many parked. With none it was the last.
    mutating func swept(parked: Int, now: Int64) {
        isParkingUsed = parked > 0
        sweepAt = parked > 0 ? now.after(policy.sweepInterval) : .never
        counted(parked: parked, now: now)
    }

    /// So many are parked: now it is known whether demand has risen. While holders may not park, a connection that is
    /// found parked is about to come back, and counts as lent.
    mutating func counted(parked: Int, now: Int64) {
        self.parked = mayPark ? parked : 0
        needsParkedCount = false
        grow(now)
        settle(now)
    }

    /// Whether the core might do anything else with the connection than lend it again, were it given back.
    mutating func shouldReturn(_ id: SlotID, now: Int64) -> Bool {
        guard let slot = find(id) else { return false }
        let backend = Int(slots[slot].backend)
        return !backends[backend].present || counts.all > policy.maxSlots || now >= slots[slot].retireAt
            || backends[backend].surplus > 0
            || (slots[slot].unproven && now - slots[slot].connectedAt >= policy.stableAfter)
    }

    func isClaimed(_ id: SlotID) -> Bool {
        guard let slot = find(id) else { return false }
        return slots[slot].state == .claimed
    }

    func isDraining(_ id: SlotID) -> Bool {
        guard let slot = find(id) else { return false }
        return !backends[Int(slots[slot].backend)].present
    }

    func backendIndex(of id: SlotID) -> Int { Int(slots[Int(id.index)].backend) }

    func meets(_ id: SlotID, _ requirement: [String: String]) -> Bool {
        guard let slot = find(id) else { return false }
        return attributes.matches(slots[slot].attributes, requirement)
    }

    /// Whether one parked connection suits a claim better than another: as idle ones are chosen.
    mutating func prefers(_ one: SlotID, to other: SlotID, _ request: ClaimRequest, now: Int64) -> Bool {
        if request.preferredSlot == one || request.preferredSlot == other {
            return request.preferredSlot == one
        }
        let (first, second) = (slots[Int(one.index)], slots[Int(other.index)])
        if first.backend != second.backend {
            return isBetter(Int(first.backend), than: Int(second.backend), now: now)
        }
        guard let affinity = request.affinity, first.affinity != second.affinity else { return false }
        return first.affinity == affinity
    }

    mutating func countReclaims(_ id: SlotID, _ count: UInt64) {
        guard let slot = find(id) else { return }
        let backend = Int(slots[slot].backend)
        totals.claims &+= count
        backends[backend].totalClaims &+= count
        backends[backend].pass += Double(count) / backends[backend].share
    }
}
