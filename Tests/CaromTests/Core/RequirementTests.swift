// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Claims that only some backends can serve, when nobody knows yet which.
@Suite struct RequirementTests {
    private static let primary = ["role": "primary"]

    private static func request(_ requirement: [String: String]) -> ClaimRequest {
        var request = ClaimRequest.any
        request.requirement = requirement
        return request
    }

    private func policy(_ slots: Int, spares: Int = 1) -> Policy {
        .with {
            $0.maxSlots = slots
            $0.spares = spares
        }
    }

    @Test("behaviour 58: one primary, seven standbys, four slots: no fresh pool fails to find it")
    func theNeedle() {
        let first = UInt64(ModelTests.number("CAROM_SEED") ?? Int.random(in: 1...1_000_000_000))
        print("search for the primary: CAROM_SEED=\(first)")
        var seeds = SeededRandom(seed: first)
        for _ in 0..<1000 {
            let seed = seeds.next()
            var random = SeededRandom(seed: seed)
            let rig = CoreRig(policy(4, spares: random.below(5)), seed: seed)
            rig.connect = { _ in .succeed(after: Int64(random.below(400)) * ms) }
            rig.learn = { ["role": $0.name == "b03" ? "primary" : "standby"] }
            rig.resolve(CoreRig.backends(8))
            rig.run(Double(random.below(3)))
            let claims = (0...random.below(3)).map { _ in
                rig.claim(Self.request(Self.primary))
            }
            rig.run(15)
            for claim in claims where rig.claims[claim].slot == nil {
                Issue.record("seed \(seed): \(rig.claims[claim]) after \(rig.attempts.map(\.backend.name))")
                return
            }
            #expect(claims.allSatisfy { rig.backendOf(rig.claims[$0].slot!) == "b03" })
            #expect(rig.broken == nil && rig.mostSockets <= 4, "seed \(seed)")
        }
    }

    @Test func aFullPoolMakesRoomForTheSearch() {
        let rig = CoreRig(policy(2, spares: 2))
        rig.learn = { ["role": $0.name == "b03" ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(2))
        rig.run(5)
        #expect(rig.usable() == [1, 1])
        rig.resolve(CoreRig.backends(3))
        rig.run(0)
        let claim = rig.claim(Self.request(Self.primary))
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b03")
        #expect(rig.mostSockets <= 2)
    }

    @Test func whoeverWasAskedAndIsSomethingElseIsNotAskedAgainAtOnce() {
        let rig = CoreRig(policy(2, spares: 0))
        rig.connect = { _ in .succeed(after: 10 * ms) }
        rig.learn = { _ in ["role": "standby"] }
        rig.resolve(CoreRig.backends(6))
        _ = rig.claim(Self.request(Self.primary))
        rig.run(0.3)
        #expect(rig.attempts.map(\.backend.name).sorted() == (1...6).map { "b0\($0)" })
    }

    @Test("behaviour 59: while a claim for the primary waits, a standby that is promoted unseen is found")
    func anUnseenPromotionIsFound() {
        let rig = CoreRig(policy(2, spares: 0))
        var primaries: Set<String> = []
        rig.learn = { ["role": primaries.contains($0.name) ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(6))
        let claim = rig.claim(Self.request(Self.primary))
        rig.run(3)
        #expect(rig.claims[claim] == .waiting)
        let connected = Set(
            rig.core.slots.filter(\.state.isUsable).map { rig.core.backends[Int($0.backend)].id.name })
        primaries = Set(CoreRig.backends(6).map(\.name)).subtracting(connected)
        rig.run(3)
        #expect(rig.claims[claim].slot != nil)
        #expect(rig.attempts.count < 60, "backends are asked again at a measured pace")
    }

    @Test func worsePrioritiesAreSearchedWhenTheBetterOnesCannotServe() {
        let rig = CoreRig(policy(4))
        rig.learn = { ["role": $0.name == "far" ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(2) + [CoreRig.backend("far", priority: 10)])
        let claim = rig.claim(Self.request(Self.primary))
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "far")
        guard rig.claims[claim].slot != nil else { return }
        rig.giveBack(claim)
        let other = rig.claim()
        #expect(rig.claims[other].slot.flatMap(rig.backendOf) != "far")
    }

    @Test func whatTheResolverSaysIsBelievedFirst() {
        let rig = CoreRig(policy(8, spares: 0))
        rig.resolve(
            (1...8).map { number in
                var backend = CoreRig.backend("b\(number)")
                backend.attributes = ["zone": number == 5 ? "a" : "b"]
                return backend
            })
        let claim = rig.claim(Self.request(["zone": "a"]))
        rig.run(1)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b5")
        #expect(rig.attempts.count == 1)
    }

    @Test func theSearchGoesOnBesideASilentBackendAndARefusingOne() {
        let rig = CoreRig(policy(3, spares: 0))
        rig.connect = {
            switch $0.name {
            case "b01", "b02": .hang
            case "b03": .fail()
            default: .succeed()
            }
        }
        rig.learn = { ["role": $0.name == "b06" ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(6))
        let claim = rig.claim(Self.request(Self.primary))
        rig.run(3)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b06")
    }

    @Test func waitersForABusyPrimaryDoNotHaveTheOthersAskedOverAndOver() {
        let rig = CoreRig(policy(8, spares: 2))
        rig.core.update(
            .with {
                $0.maxSlots = 8; $0.spares = 2; $0.perBackendMax = 1
            }, now: 0)
        rig.learn = { ["role": $0.name == "b01" ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(4))
        let first = rig.claim(Self.request(Self.primary))
        rig.run(1)
        #expect(rig.claims[first].slot != nil)
        let second = rig.claim(Self.request(Self.primary))
        let before = rig.attempts.count
        rig.run(20)
        #expect(rig.attempts.count <= before + 3)
        rig.giveBack(first)
        #expect(rig.claims[second].slot != nil)
    }

    @Test("behaviour 60: a claim that finds no primary is told among whom")
    func theErrorNamesTheCandidates() throws {
        var script = FakeConnector.Script()
        script.attributes = { ["role": $0.name == "c" ? "primary" : "standby"] }
        script.connect = { $0.name == "c" ? .fail("refused") : .succeed }
        let names = ["a", "b", "c"]
        let rig = try ShellRig(
            names.map { Backend(name: $0, address: .unix(path: "/\($0)")) }, script: script)
        let claim = rig.claimError(Self.request(Self.primary), timeout: .seconds(1))
        #expect(claim?.code == .noBackendsOnline)
        #expect(claim?.requirement == Self.primary)
        let message = try #require(claim?.message)
        #expect(message.hasPrefix("no primary among: "), "\(message)")
        for part in ["a (unix:/a) (standby)", "b (unix:/b) (standby)", "c (unix:/c) (unreachable)"] {
            #expect(message.contains(part), "\(message)")
        }
        #expect(claim?.description.contains("c (unix:/c): refused") == true)
    }
}
