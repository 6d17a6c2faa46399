// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Two backends that say that they are the primary.
@Suite struct ExclusiveTests {
    private static let primary = ["role": "primary"]
    private static let standby = ["role": "standby"]

    /// Backends whose roles may change, and connections that learn of it at a check.
    private final class World {
        let rig: CoreRig
        var roles: [String: [String: String]]
        var unreachable: Set<String>

        init(
            _ roles: [String: [String: String]], scope: Policy.Scope = .only(ExclusiveTests.primary),
            unreachable: Set<String> = []
        ) {
            self.roles = roles
            self.unreachable = unreachable
            rig = CoreRig(
                .with {
                    $0.maxSlots = 8
                    $0.perBackendMax = 8
                    $0.spares = 0
                    $0.minSlots = 4
                    $0.scope = scope
                    $0.exclusive = ExclusiveTests.primary
                    $0.watchInterval = .seconds(1)
                })
            rig.connect = { [unowned self] in
                self.unreachable.contains($0.name) ? .fail() : .succeed(after: 10 * ms)
            }
            rig.learn = { [unowned self] in self.roles[$0.name]! }
            rig.check = { [unowned self] slot in
                rig.later(0) { rig in
                    guard rig.core.find(slot) != nil else { return }
                    let name = rig.core.backendID(of: Int(slot.index)).name
                    rig.core.learned(slot, self.roles[name]!, now: rig.now)
                }
                return .succeed(after: 1)
            }
            rig.resolve(CoreRig.backends(roles.count))
        }

        /// Who serves claims for the primary.
        func servers() -> Set<String?> {
            let claims = (0..<4).map { _ in
                rig.claim(ClaimRequest(requirement: ExclusiveTests.primary), timeout: 1_000 * ms)
            }
            rig.run(1.1)
            let names = claims.map { rig.claims[$0].slot.flatMap(rig.backendOf) }
            for claim in claims where rig.claims[claim].slot != nil { rig.giveBack(claim) }
            return Set(names)
        }

        var overruled: Set<String> {
            Set(
                rig.events.compactMap {
                    if case .overruled(let backend, _) = $0.event { backend.name } else { nil }
                })
        }
    }

    @Test func ofTwoThatWereThereBeforeOneIsKept() {
        let world = World(["b01": Self.primary, "b02": Self.primary])
        world.rig.run(3)
        let first = world.servers()
        #expect(first.count == 1 && first != [nil])
        for _ in 0..<20 {
            world.rig.run(3)
            #expect(world.servers() == first)
        }
        #expect(world.overruled.count == 1)
        #expect(world.rig.broken == nil)
    }

    @Test func whoIsSeenToBePromotedTakesOver() {
        let world = World(["b01": Self.primary, "b02": Self.standby], scope: .all)
        world.rig.run(3)
        #expect(world.servers() == ["b01"])
        world.roles["b02"] = Self.primary
        world.rig.run(3)
        #expect(world.overruled == ["b01"])
        #expect(world.servers() == ["b02"])
        #expect(world.rig.usable()[0] == 0, "what was idle there is closed")
        #expect(world.rig.broken == nil)
    }

    @Test func oneConnectionThatHasHeardOfThePromotionIsEnough() throws {
        let world = World(["b01": Self.primary, "b02": Self.standby], scope: .all)
        world.rig.run(3)
        // New connections hear of it, and those that are there do not.
        world.roles["b02"] = Self.primary
        world.rig.check = { _ in .succeed() }
        let rig = world.rig
        let ofTheNewOne = rig.core.slots.indices.filter {
            rig.core.slots[$0].state == .idle && rig.core.backendID(of: $0).name == "b02"
        }
        try #require(ofTheNewOne.count > 1)
        rig.core.learned(rig.core.id(ofTheNewOne[ofTheNewOne.count - 1]), Self.primary, now: rig.now)
        rig.follow()
        rig.run(2)
        #expect(rig.core.exclusiveBackend.map { rig.core.backends[$0].id.name } == "b02")
        #expect(world.overruled == ["b01"])
        #expect(rig.broken == nil)
    }

    @Test func whatIsLentToTheOverruledOneIsFinishedAndClosed() {
        let world = World(["b01": Self.primary, "b02": Self.standby], scope: .all)
        world.rig.run(3)
        let claim = world.rig.claim(ClaimRequest(requirement: Self.primary))
        world.rig.run(0.1)
        #expect(world.rig.claims[claim].slot.flatMap(world.rig.backendOf) == "b01")
        world.roles["b02"] = Self.primary
        world.rig.run(3)
        #expect(world.rig.usable()[0] == 1)
        world.rig.giveBack(claim)
        world.rig.run(0.1)
        #expect(world.rig.usable()[0] == 0)
        #expect(world.rig.broken == nil)
    }

    @Test func theOtherOneServesWhenTheOneIsDead() {
        let world = World(["b01": Self.primary, "b02": Self.primary])
        world.rig.run(3)
        let first = world.servers().first.flatMap { $0 }
        world.rig.connect = { $0.name == first ? .fail() : .succeed(after: 10 * ms) }
        world.rig.check = { slot in
            world.rig.core.backendID(of: Int(slot.index)).name == first ? .fail() : .succeed()
        }
        world.rig.run(20)
        let second = world.servers()
        #expect(second.count == 1 && second != [nil] && second != [first])
        #expect(world.rig.broken == nil)
    }

    @Test func whoIsPutRightIsOfUseAgain() {
        let world = World(["b01": Self.primary, "b02": Self.standby], scope: .all)
        world.rig.run(3)
        world.roles["b02"] = Self.primary
        world.rig.run(3)
        world.roles["b01"] = Self.standby
        world.rig.run(30)
        let claim = world.rig.claim(ClaimRequest(requirement: Self.standby))
        world.rig.run(1)
        #expect(world.rig.claims[claim].slot.flatMap(world.rig.backendOf) == "b01")
        #expect(world.rig.broken == nil)
    }

    @Test func whoIsFoundWhileTheOneCannotBeReachedTakesOver() {
        let world = World(["b01": Self.primary, "b02": Self.primary], unreachable: ["b02"])
        world.rig.run(3)
        #expect(world.servers() == ["b01"])
        world.unreachable = ["b01"]
        let lost = (0..<4).map { _ in world.rig.claim() }
        world.rig.run(0.5)
        for claim in lost where world.rig.claims[claim].slot != nil {
            world.rig.giveBack(claim, .discard(.discarded, blame: true, suspect: true))
        }
        world.rig.run(12)
        #expect(world.servers() == ["b02"])
        #expect(world.rig.broken == nil)
    }

    // MARK: Silence

    @Test func aCheckWithoutAnAnswerHasTheOthersChecked() {
        let rig = CoreRig(
            .with {
                $0.maxSlots = 8; $0.minSlots = 8; $0.perBackendMax = 4; $0.spares = 0;
                $0.watchInterval = .seconds(1)
                $0.healthTimeout = .milliseconds(500); $0.healthInterval = nil
            })
        rig.resolve(CoreRig.backends(2))
        rig.run(0.1)
        #expect(rig.usable() == [4, 4])
        func isFrozen(_ name: String?) -> Bool { name == "b01" }
        rig.connect = { isFrozen($0.name) ? .hang : .succeed() }
        rig.check = { isFrozen(rig.backendOf($0)) ? .hang : .succeed() }
        rig.run(2.2)
        let claims = (0..<4).map { _ in rig.claim() }
        rig.run(0.1)
        #expect(claims.allSatisfy { rig.claims[$0].slot.flatMap(rig.backendOf) == "b02" })
        #expect(rig.broken == nil)
    }
}
