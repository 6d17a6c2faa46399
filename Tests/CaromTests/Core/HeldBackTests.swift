// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Backends that somebody outside holds back.
@Suite struct HeldBackTests {
    private static let primary = ["role": "primary"]
    private static let standby = ["role": "standby"]
    private static let forStandby = ClaimRequest(requirement: standby)

    /// A primary, `b01`, and standbys.
    private static func rig(
        _ rule: Policy.HeldBackRule = .fail, scope: Policy.Scope = .only(standby), backends: Int = 3,
        connect: @escaping (Backend) -> CoreRig.Outcome = { _ in .succeed(after: 10 * ms) }
    ) -> CoreRig {
        let rig = CoreRig(
            .with {
                $0.maxSlots = 8
                $0.perBackendMax = 8
                $0.spares = 0
                $0.minSlots = 4
                $0.scope = scope
                $0.whenHeldBack = rule
            })
        rig.connect = connect
        rig.learn = { $0.name == "b01" ? primary : standby }
        rig.resolve(CoreRig.backends(backends))
        return rig
    }

    @Test func whatIsHeldBackGetsNoMoreClaims() {
        let rig = Self.rig()
        rig.run(2)
        #expect(rig.usable() == [0, 2, 2])
        rig.holdBack("b02")
        rig.run(2)
        #expect(rig.usable() == [0, 0, 4], "what the others lack is made up for")
        let claims = (0..<8).map { _ in rig.claim(Self.forStandby) }
        rig.run(1)
        #expect(claims.allSatisfy { rig.claims[$0].slot.flatMap(rig.backendOf) == "b03" })
        #expect(rig.stats("b02").heldBack == "lags" && rig.stats("b03").heldBack == nil)
        #expect(rig.broken == nil)
    }

    @Test func whatIsLentGoesWhenItComesBack() {
        let rig = Self.rig(backends: 2)
        rig.run(1)
        let claim = rig.claim(Self.forStandby)
        rig.run(0.1)
        rig.holdBack("b02")
        #expect(rig.usable() == [0, 1] && rig.claims[claim].slot != nil)
        rig.giveBack(claim)
        rig.run(1)
        #expect(rig.usable() == [0, 0])
        #expect(rig.broken == nil)
    }

    @Test func whatIsNoLongerHeldBackHasItsShareAgain() {
        let rig = Self.rig()
        rig.run(2)
        rig.holdBack("b02")
        rig.run(5)
        rig.holdBack()
        rig.run(20)
        #expect(rig.usable() == [0, 2, 2])
        let told: [PoolEvent] = rig.events.map(\.event).filter {
            switch $0 {
            case .heldBack, .released: true
            default: false
            }
        }
        let id = CoreRig.backend("b02").id
        #expect(told == [.heldBack(id, reason: "lags"), .released(id)])
        #expect(rig.broken == nil)
    }

    @Test(arguments: [Policy.Scope.only(standby), .all])
    func whereAllAreHeldBackClaimsFailAtOnce(scope: Policy.Scope) {
        let rig = Self.rig(scope: scope)
        rig.run(2)
        let lent = (0..<8).map { _ in rig.claim(Self.forStandby) }
        rig.run(1)
        let waiting = rig.claim(Self.forStandby)
        #expect(rig.claims[waiting] == .waiting)
        rig.holdBack("b02", "b03")
        #expect(rig.claims[waiting].code == .noBackendsOnline)
        #expect(rig.claims[rig.claim(Self.forStandby)].code == .noBackendsOnline)
        for claim in lent where rig.claims[claim].slot != nil { rig.giveBack(claim) }
        rig.holdBack("b02")
        let late = rig.claim(Self.forStandby)
        rig.run(1)
        #expect(rig.claims[late].slot.flatMap(rig.backendOf) == "b03")
        #expect(rig.broken == nil)
    }

    @Test func whereAllAreHeldBackOthersDoIfThatIsTheRule() {
        let rig = Self.rig(.others)
        rig.run(2)
        rig.holdBack("b02", "b03")
        rig.run(2)
        #expect(rig.usable() == [4, 0, 0])
        let attempts = rig.attempts.count
        for _ in 0..<100 {
            let claim = rig.claim(Self.forStandby)
            rig.run(0.05)
            #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b01")
            rig.giveBack(claim)
        }
        #expect(rig.attempts.count == attempts, "connections stay while they are needed")
        rig.holdBack("b03")
        rig.run(10)
        #expect(rig.usable() == [0, 4, 0])
        #expect(rig.broken == nil)
    }

    @Test func othersAreNotTakenWhereTheKindIsJustNotThere() {
        let rig = Self.rig(.others) { $0.name == "b01" ? .succeed() : .fail() }
        let claim = rig.claim(Self.forStandby)
        rig.run(3)
        #expect(rig.claims[claim] == .waiting)
        #expect(rig.broken == nil)
    }

    @Test func whoWouldTakeAnyIsToldWhenAllAreHeldBack() {
        let rig = Self.rig(.others, scope: .all, backends: 2)
        rig.run(1)
        rig.holdBack("b01", "b02")
        #expect(rig.claims[rig.claim()].code == .noBackendsOnline)
        rig.holdBack("b01")
        let claim = rig.claim()
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b02")
    }

    @Test func whatDoesNotLastIsWaitedFor() {
        let rig = Self.rig(.others)
        rig.run(2)
        rig.holdBack(["b02", "b03"], isLasting: false)
        let claim = rig.claim(Self.forStandby)
        rig.run(2)
        #expect(rig.claims[claim] == .waiting && rig.usable() == [0, 0, 0])
        rig.holdBack(["b02"], isLasting: false)
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b03")
        #expect(rig.broken == nil)
    }

    @Test func whatIsHeldBackNeedNotBeKnownYet() {
        let rig = CoreRig(.with { $0.spares = 0 })
        rig.learn = { $0.name == "b01" ? Self.primary : Self.standby }
        rig.holdBack("b02")
        let claim = rig.claim(Self.forStandby)
        rig.resolve(CoreRig.backends(2))
        rig.run(1)
        #expect(rig.attempts.allSatisfy { $0.backend.name == "b01" })
        #expect(rig.claims[claim].code == .noBackendsOnline)
        #expect(rig.broken == nil)
    }
}

extension CoreRig {
    fileprivate func holdBack(_ names: String...) {
        holdBack(names, isLasting: true)
    }

    fileprivate func holdBack(_ names: [String], isLasting: Bool) {
        let reasons = names.map { (CoreRig.backend($0).id, HoldReason("lags", isLasting: isLasting)) }
        core.holdBack(Dictionary(uniqueKeysWithValues: reasons), now: now)
        follow()
    }
}
