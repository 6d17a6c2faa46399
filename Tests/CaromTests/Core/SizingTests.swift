// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Sizing")
struct SizingTests {
    @Test("behaviour 1: one backend without claims settles at exactly the spares")
    func oneBackendSettlesAtTheSpares() {
        let rig = CoreRig(backends: CoreRig.backends(1))
        rig.run(10)
        #expect(rig.usable() == [8])
        #expect(rig.sockets == 8)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 2: three backends share eight as three, three and two")
    func threeBackendsShareEight() {
        let rig = CoreRig(backends: CoreRig.backends(3))
        rig.run(10)
        #expect(rig.usable().sorted() == [2, 3, 3])
        #expect(rig.broken == nil)
    }

    @Test(
        "behaviour 3: ten claims on three backends make sixteen slots, five or six each, never more sockets")
    func tenClaimsMakeSixteen() {
        let rig = CoreRig(backends: CoreRig.backends(3))
        rig.run(1)
        let claims = (0..<10).map { _ in rig.claim() }
        rig.run(5)
        #expect(claims.allSatisfy { rig.claims[$0].slot != nil })
        #expect(rig.usable().reduce(0, +) == 16)
        #expect(rig.usable().allSatisfy { $0 == 5 || $0 == 6 })
        #expect(rig.mostSockets <= 16)
        #expect(rig.broken == nil)
    }

    @Test(
        "behaviour 4: offline backends never starve online ones, and the plan is stable", arguments: [8, 20])
    func offlineBackendsDoNotStarve(offline: Int) {
        let rig = CoreRig()
        let online: Set<String> = ["b01", "b02", "b03", "b04"]
        rig.connect = { online.contains($0.name) ? .succeed() : .fail() }
        rig.resolve(CoreRig.backends(4 + offline))
        rig.run(60)
        var wanted: [[Int]] = []
        for _ in 0..<10 {
            rig.run(60)
            let stats = rig.stats.backends.sorted { $0.backend.name < $1.backend.name }
            #expect(rig.usable().prefix(4).allSatisfy { $0 >= 1 })
            #expect(rig.usable().prefix(4).reduce(0, +) == 8)
            #expect(stats.dropFirst(4).allSatisfy { $0.wanted <= 1 && $0.connecting <= 1 })
            wanted.append(stats.map(\.wanted))
        }
        #expect(Set(wanted).count <= 2)
        #expect(rig.mostSockets <= 16)
        #expect(Set(rig.attempts.suffix(200).map(\.backend.name)).count >= offline)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 5: of twenty backends eight are used, one connection each, and all get their turn")
    func manyBackendsTakeTurns() {
        let rig = CoreRig(backends: CoreRig.backends(20))
        rig.run(1)
        #expect(rig.usable().filter { $0 == 1 }.count == 8)
        #expect(rig.usable().reduce(0, +) == 8)
        rig.run(12 * 60 + 1)
        #expect(Set(rig.attempts.map(\.backend.name)).count == 20)
        #expect(rig.usable().reduce(0, +) == 8)
        #expect(rig.usable().allSatisfy { $0 <= 1 })
        let other = CoreRig(seed: 8, backends: CoreRig.backends(20))
        other.run(1)
        #expect(other.core.order != CoreRig(seed: 7, backends: CoreRig.backends(20)).core.order)
        #expect(rig.broken == nil)
    }

    @Test func aHundredBackendsHaveSixteenConnectionsInTurns() {
        let rig = CoreRig(
            .with {
                $0.maxSlots = 16
                $0.spares = 16
                $0.perBackendMax = 16
            })
        rig.resolve(CoreRig.backends(100))
        rig.run(200)
        var seen = [Int](repeating: 0, count: 100)
        // As many exchanges as give each three turns.
        for _ in 0..<300 {
            rig.run(60)
            for (backend, count) in rig.usable().enumerated() { seen[backend] += count }
        }
        let fair = seen.reduce(0, +) / 100
        #expect(fair > 40 && seen.allSatisfy { $0 > fair / 2 && $0 < fair * 2 }, "\(seen)")
        #expect(rig.broken == nil && rig.mostSockets <= 16)
    }

    @Test(
        "behaviour 6: a dip of demand for a second closes nothing, a minute without demand leaves the spares")
    func aDipClosesNothing() {
        let rig = CoreRig(backends: CoreRig.backends(1))
        rig.run(1)
        let first = (0..<8).map { _ in rig.claim() }
        rig.run(10)
        #expect(rig.usable() == [16])
        for claim in first { rig.giveBack(claim) }
        rig.run(1)
        let second = (0..<8).map { _ in rig.claim() }
        #expect(rig.closings.isEmpty)
        rig.run(1)
        for claim in second { rig.giveBack(claim) }
        rig.run(60)
        #expect(rig.usable() == [8])
        #expect(rig.broken == nil)
    }

    @Test("behaviour 7: with two for each of three backends six are served and the error says six of six")
    func perBackendMaximum() {
        let policy = Policy.with { $0.perBackendMax = 2 }
        let rig = CoreRig(policy, backends: CoreRig.backends(3))
        rig.run(1)
        let claims = (0..<10).map { _ in rig.claim() }
        rig.run(1)
        #expect(claims.filter { rig.claims[$0].slot != nil }.count == 6)
        #expect(rig.stats.waiting == 4)
        rig.run(30)
        #expect(claims.filter { rig.claims[$0].code == .exhausted }.count == 4)
        #expect(rig.core.capacity == 6)
        #expect(rig.core.counts.claimed == 6)
        #expect(rig.usable() == [2, 2, 2])
        #expect(rig.broken == nil)
    }

    @Test("behaviour 8: at most four connects to one backend are in flight")
    func connectsAreBounded() {
        let rig = CoreRig()
        var flying = 0
        var most = 0
        rig.connect = { [unowned rig] _ in
            flying += 1
            most = max(most, flying)
            rig.later(100 * ms) { _ in flying -= 1 }
            return .succeed(after: 100 * ms)
        }
        rig.resolve(CoreRig.backends(1))
        rig.run(5)
        #expect(rig.usable() == [8])
        #expect(most == 4)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 57: the minimum is the total, opened without a claim and kept")
    func theMinimumIsTheTotal() {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 0
                $0.minSlots = 5
                $0.shrink = .afterIdle(.seconds(5))
            }, backends: CoreRig.backends(2))
        rig.run(1)
        #expect(rig.usable() == [3, 2] || rig.usable() == [2, 3])
        let claims = (0..<4).map { _ in rig.claim() }
        rig.run(5)
        #expect(rig.attempts.count == 5, "those lent are part of it")
        let more = (0..<4).map { _ in rig.claim() }
        rig.run(1)
        #expect(rig.usable().reduce(0, +) == 8)
        for claim in claims + more { rig.giveBack(claim) }
        rig.run(60)
        #expect(rig.usable().reduce(0, +) == 5)
        #expect(throws: PolicyError.self) {
            try Policy.with {
                $0.maxSlots = 4
                $0.minSlots = 5
            }.validate()
        }
        #expect(rig.broken == nil)
    }
}
