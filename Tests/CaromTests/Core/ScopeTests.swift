// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Which backends connections are opened to, when they are not all of a kind.
@Suite struct ScopeTests {
    private static let primary = ["role": "primary"]
    private static let standby = ["role": "standby"]

    private static func policy(_ scope: Policy.Scope, slots: Int = 8, most: Int = 8) -> Policy {
        .with {
            $0.maxSlots = slots
            $0.perBackendMax = most
            $0.spares = 0
            $0.minSlots = 4
            $0.scope = scope
        }
    }

    private static func preference(_ requirement: [String: String]) -> ClaimRequest {
        var request = ClaimRequest(requirement: requirement)
        request.isPreference = true
        return request
    }

    /// One primary, `b02`, and standbys.
    private static func rig(_ scope: Policy.Scope, backends: Int = 3, seed: UInt64 = 7) -> CoreRig {
        let rig = CoreRig(policy(scope), seed: seed)
        rig.connect = { _ in .succeed(after: 10 * ms) }
        rig.learn = { $0.name == "b02" ? primary : standby }
        rig.resolve(CoreRig.backends(backends))
        return rig
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func onlyThePrimaryGetsConnections(seed: UInt64) {
        let rig = Self.rig(.only(Self.primary), seed: seed)
        rig.run(5)
        #expect(rig.usable() == [0, 4, 0])
        #expect(rig.attempts.count { $0.backend.name != "b02" } <= 2, "each of the others is asked once")
        let claims = (0..<8).map { _ in rig.claim(ClaimRequest(requirement: Self.primary)) }
        rig.run(1)
        #expect(claims.allSatisfy { rig.claims[$0].slot.flatMap(rig.backendOf) == "b02" })
        for claim in claims { rig.giveBack(claim) }
        rig.run(300)
        #expect(rig.attempts.count { $0.backend.name != "b02" } <= 2)
        #expect(rig.broken == nil)
    }

    @Test func aPreferenceForStandbysLeavesThePrimaryAlone() {
        let rig = Self.rig(.preferring(Self.standby))
        rig.run(5)
        #expect(rig.usable() == [2, 0, 2])
    }

    @Test func whereNobodyIsPreferredAllAreTaken() {
        let rig = Self.rig(.preferring(["role": "witness"]))
        rig.run(5)
        #expect(rig.usable().reduce(0, +) == 4 && rig.usable().allSatisfy { $0 > 0 })
    }

    @Test func nobodyWillDoAndNobodyIsAskedForEver() {
        let rig = Self.rig(.only(["role": "witness"]))
        rig.run(600)
        #expect(rig.attempts.count <= 3)
    }

    @Test func theScopeFollowsAPromotion() {
        let rig = Self.rig(.only(Self.primary))
        rig.run(5)
        var primary = "b02"
        rig.learn = { $0.name == primary ? Self.primary : Self.standby }
        rig.connect = { $0.name == "b02" ? .fail() : .succeed(after: 10 * ms) }
        primary = "b03"
        let lost = (0..<4).map { _ in rig.claim() }
        rig.run(0.1)
        for claim in lost { rig.giveBack(claim, .discard(.discarded, blame: true, suspect: true)) }
        let claim = rig.claim(ClaimRequest(requirement: Self.primary))
        rig.run(3)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b03")
        guard rig.claims[claim].slot != nil else { return }
        rig.giveBack(claim)
        rig.run(20)
        #expect(rig.usable() == [0, 0, 4])
        #expect(rig.broken == nil)
    }

    @Test(arguments: [Policy.Scope.only(standby), .preferring(standby)], [false, true])
    func aNewcomerGetsItsShareOfAPoolThatIsBusy(scope: Policy.Scope, isOfTheKind: Bool) {
        let rig = Self.rig(scope)
        rig.learn = { $0.name == "b02" || $0.name == "b04" && !isOfTheKind ? Self.primary : Self.standby }
        var request = ClaimRequest(requirement: Self.standby)
        if case .preferring = scope { request.isPreference = true }
        var claims = (0..<20).map { _ in rig.claim(request) }
        func work() {
            for _ in 0..<300 {
                rig.run(0.01)
                for index in claims.indices where rig.claims[claims[index]].slot != nil {
                    rig.giveBack(claims[index])
                    claims[index] = rig.claim(request)
                }
            }
        }
        work()
        #expect(rig.usable() == [4, 0, 4])
        rig.resolve(CoreRig.backends(4))
        work()
        let asked = rig.attempts.count { $0.backend.name == "b04" }
        if isOfTheKind {
            #expect(rig.usable()[3] >= 2)
        } else {
            #expect(asked == 1 && rig.usable() == [4, 0, 4, 0])
        }
        #expect(rig.broken == nil)
    }

    @Test func aPreferenceIsMetWhereItCanBe() {
        let rig = Self.rig(.all)
        let claims = (0..<6).map { _ in rig.claim(Self.preference(Self.standby)) }
        rig.run(1)
        #expect(claims.allSatisfy { rig.claims[$0].slot.flatMap(rig.backendOf).map { $0 != "b02" } == true })
        #expect(rig.broken == nil)
    }

    @Test func aPreferenceThatCannotBeMetTakesWhatIsThere() {
        let rig = CoreRig(Self.policy(.all))
        rig.connect = { $0.name == "b02" ? .succeed(after: 10 * ms) : .fail() }
        rig.learn = { _ in Self.primary }
        rig.resolve(CoreRig.backends(3))
        let claims = (0..<3).map { _ in rig.claim(Self.preference(Self.standby)) }
        rig.run(1)
        #expect(claims.allSatisfy { rig.claims[$0].slot.flatMap(rig.backendOf) == "b02" })
        let late = rig.claim(Self.preference(Self.standby))
        rig.run(0.5)
        #expect(rig.claims[late].slot.flatMap(rig.backendOf) == "b02")
        #expect(rig.broken == nil)
    }

    @Test func whoWaitsForAStandbyIsServedWhenTheLastOneGoes() {
        let rig = CoreRig(Self.policy(.all, slots: 2, most: 1))
        var isGone = false
        rig.connect = { $0.name == "b01" && isGone ? .fail() : .succeed() }
        rig.learn = { $0.name == "b02" ? Self.primary : Self.standby }
        rig.resolve(CoreRig.backends(2))
        rig.run(1)
        let first = rig.claim(Self.preference(Self.standby))
        let second = rig.claim(Self.preference(Self.standby))
        let third = rig.claim(Self.preference(Self.standby))
        rig.run(1)
        #expect(rig.claims[first].slot.flatMap(rig.backendOf) == "b01")
        #expect(rig.claims[second] == .waiting && rig.claims[third] == .waiting)
        isGone = true
        rig.giveBack(first, .discard(.discarded, blame: true, suspect: true))
        rig.run(1)
        #expect(rig.claims[second].slot.flatMap(rig.backendOf) == "b02")
        guard rig.claims[second].slot != nil else { return }
        rig.giveBack(second)
        #expect(rig.claims[third].slot.flatMap(rig.backendOf) == "b02")
        #expect(rig.broken == nil)
    }

    @Test func beforeTheResolverHasSpokenAPreferenceWaits() {
        let rig = CoreRig(Self.policy(.all))
        rig.learn = { $0.name == "b02" ? Self.primary : Self.standby }
        let claim = rig.claim(Self.preference(Self.standby))
        rig.resolve(CoreRig.backends(2))
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b01")
    }

    // MARK: What changes while nobody uses it

    @Test func idleConnectionsAreAskedOneForEachBackend() {
        let rig = CoreRig(
            .with {
                $0.maxSlots = 9; $0.minSlots = 9; $0.perBackendMax = 3; $0.spares = 0;
                $0.watchInterval = .seconds(1)
                $0.healthInterval = nil
            })
        rig.resolve(CoreRig.backends(3))
        rig.run(10.5)
        #expect(
            (24...40).contains(rig.checks.count),
            "\(rig.checks.count) checks of three backends in ten seconds")
        let spacings = zip(rig.checks.dropFirst(3), rig.checks).map { $0.at - $1.at }
        #expect(Set(spacings).count > 5, "not all at the same time")
    }

    @Test func whoIsPromotedWhileIdleIsFoundByAClaimThatWaits() {
        let rig = CoreRig(Self.policy(.all))
        var roles = ["b01": Self.standby, "b02": Self.standby]
        rig.learn = { roles[$0.name]! }
        rig.resolve(CoreRig.backends(2))
        rig.run(5)
        #expect(rig.usable() == [2, 2])
        roles["b02"] = Self.primary
        rig.check = { slot in
            rig.later(0) { rig in
                let name = rig.core.backendID(of: Int(slot.index)).name
                rig.core.learned(slot, roles[name]!, now: rig.now)
            }
            return .succeed(after: 1)
        }
        let claim = rig.claim(ClaimRequest(requirement: Self.primary))
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b02")
        #expect(rig.broken == nil)
    }
}
