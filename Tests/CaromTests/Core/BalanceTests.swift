// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Which of several backends get connections and claims.
@Suite struct BalanceTests {
    private static func rig(
        _ backends: [Backend], slots: Int = 12, _ change: (inout Policy) -> Void = { _ in }
    ) -> CoreRig {
        let rig = CoreRig(
            .with {
                $0.maxSlots = slots
                $0.perBackendMax = slots
                $0.minSlots = slots
                $0.spares = 0
                $0.maxBackoff = .seconds(1)
                change(&$0)
            })
        rig.resolve(backends)
        return rig
    }

    private static func backend(_ name: String, zone: String?, priority: Int = 0) -> Backend {
        var backend = CoreRig.backend(name, priority: priority)
        backend.attributes = zone.map { ["zone": $0] } ?? [:]
        return backend
    }

    /// How often each backend is chosen by claims that come one after the other.
    private static func turns(_ rig: CoreRig, _ count: Int) -> [String: Int] {
        var turns: [String: Int] = [:]
        for _ in 0..<count {
            let claim = rig.claim()
            rig.run(0.01)
            guard let slot = rig.claims[claim].slot, let name = rig.backendOf(slot) else { continue }
            turns[name, default: 0] += 1
            rig.giveBack(claim)
        }
        return turns
    }

    // MARK: Zones

    private static let zones = [
        backend("b01", zone: "a"), backend("b02", zone: "b"), backend("b03", zone: "a"),
        backend("b04", zone: nil),
    ]

    @Test func thoseOfTheZoneComeFirst() {
        let rig = Self.rig(Self.zones) { $0.zone = "a" }
        rig.run(2)
        #expect(rig.usable() == [6, 0, 6, 0])
        #expect(Set(Self.turns(rig, 40).keys) == ["b01", "b03"])
        #expect(rig.broken == nil)
    }

    @Test func othersStandInWhileAllOfTheZoneAreDown() {
        let rig = Self.rig(Self.zones) { $0.zone = "a" }
        rig.run(2)
        let isDown: (Backend) -> Bool = { ["b01", "b03"].contains($0.name) }
        rig.connect = { isDown($0) ? .fail() : .succeed() }
        rig.check = { _ in .fail() }
        let lent = (0..<12).map { _ in rig.claim() }
        rig.run(0.1)
        for claim in lent where rig.claims[claim].slot != nil {
            rig.giveBack(claim, .discard(.discarded, blame: true, suspect: true))
        }
        rig.check = { _ in .succeed() }
        rig.run(8)
        #expect(rig.usable() == [0, 6, 0, 6])
        rig.connect = { _ in .succeed() }
        rig.run(30)
        #expect(rig.usable() == [6, 0, 6, 0])
        #expect(rig.broken == nil)
    }

    @Test func aPriorityCountsMoreThanTheZone() {
        let backends = [Self.backend("b01", zone: "a", priority: 1), Self.backend("b02", zone: "b")]
        let rig = Self.rig(backends) { $0.zone = "a" }
        rig.run(2)
        #expect(rig.usable() == [0, 12])
    }

    @Test func whatSomebodyNeedsIsTakenFromElsewhere() {
        let rig = Self.rig(Self.zones) { $0.zone = "a" }
        rig.learn = { ["role": $0.name == "b02" ? "primary" : "standby"] }
        rig.run(2)
        let claim = rig.claim(ClaimRequest(role: .primary))
        rig.run(2)
        #expect(rig.claims[claim].slot.flatMap(rig.backendOf) == "b02")
        #expect(rig.broken == nil)
    }

    @Test func aZoneMayChange() {
        let rig = Self.rig(Self.zones) { $0.zone = "a" }
        rig.run(2)
        var policy = rig.core.policy.source
        policy.zone = "b"
        rig.core.update(policy, now: rig.now)
        rig.follow()
        rig.run(30)
        #expect(rig.usable() == [0, 12, 0, 0])
        rig.resolve(Self.zones.map { Self.backend($0.name, zone: $0.name == "b03" ? "b" : nil) })
        rig.run(30)
        #expect(rig.usable() == [0, 0, 12, 0])
        #expect(rig.broken == nil)
    }

    // MARK: Random of two

    @Test func twoAtRandomSpreadWhatComes() {
        let rig = Self.rig(CoreRig.backends(6)) { $0.balance = .randomOfTwo }
        rig.run(2)
        let turns = Self.turns(rig, 600)
        #expect(turns.count == 6 && turns.values.allSatisfy { (50...150).contains($0) }, "\(turns)")
        let order = (0..<30).compactMap { _ in Self.turns(rig, 1).keys.first }
        #expect(Set(zip(order, order.dropFirst()).map { "\($0) \($1)" }).count > 6, "it is no fixed round")
        #expect(rig.broken == nil)
    }

    @Test func theBetterOneOfTwoIsTaken() {
        let rig = Self.rig(CoreRig.backends(3), slots: 30) {
            $0.balance = .randomOfTwo
            $0.validationBypass = nil
        }
        rig.run(2)
        var held: [String: Int] = [:]
        for _ in 0..<15 {
            guard let name = rig.claims[rig.claim()].slot.flatMap(rig.backendOf) else { continue }
            held[name, default: 0] += 1
        }
        // Of three, the one with the most is never the better one of two.
        let counts = ["b01", "b02", "b03"].map { held[$0] ?? 0 }
        #expect(counts.reduce(0, +) == 15 && counts.max()! - counts.min()! <= 2, "\(counts)")
    }

    // MARK: Slow start

    @Test func whoIsBackHasNoTurnsToMakeUpFor() {
        let rig = Self.rig(CoreRig.backends(3))
        rig.run(1)
        Self.lose("b01", of: rig)
        _ = Self.turns(rig, 600)
        rig.connect = { _ in .succeed() }
        rig.run(20)
        #expect(rig.usable() == [4, 4, 4])
        let turns = Self.turns(rig, 300)
        #expect((80...120).contains(turns["b01"] ?? 0), "\(turns)")
        #expect(rig.broken == nil)
    }

    @Test func whoIsBackComesToItsShareSlowly() {
        let rig = Self.rig(CoreRig.backends(2), slots: 20) { $0.slowStart = .seconds(20) }
        rig.run(1)
        #expect(rig.usable() == [10, 10])
        Self.lose("b01", of: rig)
        rig.run(8)
        #expect(rig.usable() == [0, 20])
        rig.connect = { _ in .succeed() }
        rig.run(3)
        #expect((1...4).contains(rig.usable()[0]), "\(rig.usable())")
        rig.run(9)
        #expect((5...9).contains(rig.usable()[0]), "\(rig.usable())")
        rig.run(20)
        #expect(rig.usable() == [10, 10])
        #expect(rig.broken == nil)
    }

    @Test func whoIsAloneHasEverythingAtOnce() {
        let rig = Self.rig(CoreRig.backends(1)) { $0.slowStart = .seconds(20) }
        rig.run(1)
        #expect(rig.usable() == [12])
        Self.lose("b01", of: rig)
        rig.run(8)
        rig.connect = { _ in .succeed() }
        rig.run(2)
        #expect(rig.usable() == [12])
    }

    @Test func whoIsNewBesideOthersComesToItsShareSlowly() {
        let rig = Self.rig(CoreRig.backends(1), slots: 20) { $0.slowStart = .seconds(20) }
        rig.run(2)
        rig.resolve(CoreRig.backends(2))
        rig.run(3)
        #expect((1...4).contains(rig.usable()[1]), "\(rig.usable())")
        rig.run(30)
        #expect(rig.usable() == [10, 10])
        #expect(rig.broken == nil)
    }

    /// The backend is gone, with all its connections.
    private static func lose(_ name: String, of rig: CoreRig) {
        rig.connect = { $0.name == name ? .fail() : .succeed() }
        let core = rig.attempts.filter { $0.backend.name == name }.map(\.slot)
        rig.check = { core.contains($0) ? .fail() : .succeed() }
        rig.core.silent(CoreRig.backend(name).id, now: rig.now)
        rig.follow()
        rig.run(0.5)
        rig.check = { _ in .succeed() }
    }
}
