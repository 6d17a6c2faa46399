// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

/// Connections whose attributes change while they are open: a standby is promoted, a primary demoted.
@Suite struct AttributeTests {
    private let primary = ["role": "primary"]
    private let standby = ["role": "standby"]

    private func rig(_ role: [String: String], _ change: (inout Policy) -> Void = { _ in }) -> CoreRig {
        var policy = Policy()
        policy.maxSlots = 2
        policy.spares = 2
        policy.validationBypass = nil
        change(&policy)
        let rig = CoreRig(policy)
        rig.learn = { _ in role }
        rig.resolve(CoreRig.backends(1))
        rig.run(1)
        return rig
    }

    private func request(_ role: [String: String]) -> ClaimRequest {
        var request = ClaimRequest.any
        request.requirement = role
        return request
    }

    private func change(_ rig: CoreRig, _ slot: SlotID, _ role: [String: String]) {
        rig.core.learned(slot, role, now: rig.now)
        rig.follow()
    }

    @Test func anIdleConnectionThatWasPromotedServesClaimsForThePrimary() {
        let rig = rig(standby)
        let slot = rig.attempts[0].slot
        change(rig, slot, primary)
        let claim = rig.claim(request(primary), timeout: 0)
        #expect(rig.claims[claim].slot == slot)
        #expect(rig.broken == nil)
    }

    @Test func aPromotionServesTheWaiterAtOnce() {
        let rig = rig(standby)
        let waiting = rig.claim(request(primary))
        #expect(rig.claims[waiting] == .waiting)
        let slot = rig.attempts[0].slot
        change(rig, slot, primary)
        rig.run(until: rig.now)
        #expect(rig.claims[waiting] == .served(slot, at: rig.now))
        #expect(rig.acquires.map(\.slot) == [slot], "nobody has looked at it since it was idle")
        #expect(rig.broken == nil)
    }

    @Test func aDemotedConnectionIsNotLentAsAPrimary() {
        let rig = rig(primary)
        for attempt in rig.attempts { change(rig, attempt.slot, standby) }
        rig.learn = { _ in ["role": "standby"] }
        let claim = rig.claim(request(primary), timeout: 0)
        #expect(rig.claims[claim].code == .noBackendsOnline)
        #expect(rig.claims[rig.claim(request(standby), timeout: 0)].slot != nil)
        #expect(rig.broken == nil)
    }

    @Test func waitersForBothRolesAreServedByWhatEachConnectionHasBecome() {
        let rig = rig(primary)
        let held = [rig.claim(), rig.claim()]
        let slots = held.map { rig.claims[$0].slot! }
        let forPrimary = rig.claim(request(primary))
        let forStandby = rig.claim(request(standby))
        change(rig, slots[0], standby)
        #expect(rig.claims[forStandby] == .waiting)
        rig.giveBack(held[0])
        #expect(rig.claims[forStandby].slot == slots[0])
        #expect(rig.claims[forPrimary] == .waiting)
        rig.giveBack(held[1])
        #expect(rig.claims[forPrimary].slot == slots[1])
        #expect(rig.broken == nil)
    }

    @Test func aConnectionThatChangesWhileItIsValidatedGoesToNobodyItDoesNotSuit() {
        let rig = rig(primary) { $0.validationBypass = .zero }
        rig.acquire = { _ in .succeed(after: second) }
        let waiting = rig.claim(request(primary))
        rig.run(0.5)
        #expect(rig.acquires.count == 1)
        let slot = rig.acquires[0].slot
        change(rig, slot, standby)
        rig.run(5)
        #expect(rig.claims[waiting].slot != nil && rig.claims[waiting].slot != slot)
        #expect(rig.broken == nil)
    }

    @Test func theOtherIdleConnectionsOfTheBackendAreChecked() {
        let rig = rig(standby)
        let before = rig.checks.count
        change(rig, rig.attempts[0].slot, primary)
        rig.run(1)
        #expect(rig.checks.dropFirst(before).contains { $0.slot == rig.attempts[1].slot })
    }

    @Test func sayingTheSameAgainChangesNothing() {
        let rig = rig(primary)
        let events = rig.events.count
        change(rig, rig.attempts[0].slot, primary)
        #expect(rig.events.count == events && rig.checks.isEmpty)
    }
}
