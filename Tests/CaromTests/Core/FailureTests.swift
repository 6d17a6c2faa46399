// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Failure, recovery, resolver news")
struct FailureTests {
    @Test(
        "behaviour 35: a refusing backend is suspect, then dead; others take its share at once, it keeps a probe"
    )
    func deathOfOneBackend() {
        let rig = CoreRig()
        rig.connect = { $0.name == "b01" ? .fail() : .succeed() }
        rig.resolve(CoreRig.backends(3))
        rig.run(0)
        #expect(rig.usable() == [0, 4, 4])
        rig.run(0.5)
        #expect(rig.stats("b01").state == .suspect)
        #expect(rig.stats("b01").connecting <= 1)
        rig.run(10)
        #expect(rig.stats("b01").state == .dead)
        let death = rig.events.first {
            if case .backendState(_, _, .dead) = $0.event { true } else { false }
        }!.at
        #expect(death >= 5 * second)
        #expect(rig.attempts.filter { $0.backend.name == "b01" && $0.at <= death }.count >= 3)
        #expect(rig.stats("b01").wanted == 1 && rig.stats("b01").connecting <= 1)
        #expect(rig.usable() == [0, 4, 4])
        #expect(rig.broken == nil)
    }

    @Test(
        "behaviour 36: with all dead claims fail at once; the first probe that connects reopens in its turn")
    func allDeadAndBack() {
        let rig = CoreRig(Policy.with { $0.spares = 1 })
        var up = false
        rig.connect = { _ in up ? .succeed() : .fail() }
        rig.resolve(CoreRig.backends(2))
        let waiting = (0..<5).map { _ in rig.claim() }
        rig.run(12)
        #expect(rig.stats.state == .failed)
        let ends = Set(waiting.map { rig.claims[$0] })
        #expect(ends.count == 1 && ends.first?.code == .failed)
        #expect(rig.claims[rig.claim()] == .failed(.failed, at: rig.now))
        up = true
        while rig.stats.state == .failed { rig.run(until: rig.core.nextDeadline) }
        #expect(rig.stats.state == .running)
        #expect(rig.claims[rig.claim()].slot != nil)
        #expect(rig.broken == nil)
    }

    @Test func aClaimFailsAtOnceWhenTheLastConnectionMadeRoom() {
        var policy = Policy()
        policy.maxSlots = 3
        policy.spares = 2
        let rig = CoreRig(policy)
        var (opened, probes) = (0, CoreRig.Outcome.fail())
        rig.connect = { backend in
            if backend.name == "b02" { return probes }
            opened += 1
            return opened == 1 ? .succeed() : .fail()
        }
        rig.resolve(CoreRig.backends(2))
        rig.run(15)
        probes = .hang
        while rig.core.counts.connecting == 0 { rig.run(0.1) }
        #expect(rig.stats("b01").state == .suspect && rig.stats("b02").state == .dead)
        // The only connection that works goes, for a probe holds the only slot left.
        policy.maxSlots = 1
        rig.core.update(policy, now: rig.now)
        rig.follow()
        #expect(rig.stats.state == .failed)
        #expect(rig.claims[rig.claim()] == .failed(.failed, at: rig.now))
        #expect(rig.broken == nil)
    }

    @Test func aBackendThatRefusesTheLoginIsDeadAtOnceAndItsProbesGoOn() {
        let rig = CoreRig(Policy.with { $0.spares = 1 })
        var known = false
        rig.connect = { _ in known ? .succeed() : .fail(reason: "no such database", kind: .authentication) }
        rig.resolve(CoreRig.backends(1))
        let claim = rig.claim()
        rig.run(0)
        #expect(rig.stats.state == .failed)
        #expect(rig.claims[claim] == .failed(.failed, at: rig.now))
        #expect(rig.stats("b01").lastError == "no such database")
        known = true
        rig.run(1)
        #expect(rig.stats.state == .running)
        let next = rig.claim()
        rig.run(1)
        #expect(rig.claims[next].slot != nil)
        #expect(rig.broken == nil)
    }

    @Test func oneRefusedLoginDoesNotEndABackendThatStillServes() {
        let rig = CoreRig(Policy.with { $0.spares = 1 }, backends: CoreRig.backends(1))
        rig.run(1)
        rig.connect = { _ in .fail(reason: "too late", kind: .authentication) }
        let claims = [rig.claim(), rig.claim()]
        rig.run(1)
        #expect(rig.claims[claims[0]].slot != nil)
        #expect(rig.claims[claims[1]] == .waiting)
        #expect(rig.stats("b01").state == .suspect)
        rig.giveBack(claims[0])
        #expect(rig.claims[claims[1]].slot != nil)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 37: the last connection dies with five waiting: a connect starts in the same turn")
    func lastConnectionDies() {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 0
                $0.maxSlots = 1
            }, backends: CoreRig.backends(1))
        let holder = rig.claim()
        rig.run(1)
        let waiting = (0..<5).map { _ in rig.claim() }
        let at = rig.now
        rig.giveBack(holder, .discard(.discarded, blame: true, suspect: false))
        rig.run(0)
        #expect(rig.attempts.count == 2 && rig.attempts[1].at == at)
        for claim in waiting {
            #expect(rig.claims[claim].slot != nil)
            rig.giveBack(claim)
        }
        #expect(rig.broken == nil)
    }

    @Test("behaviour 38: while growth fails claims take the idle connections")
    func growthFails() {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 4
                $0.validationBypass = nil
            }, backends: CoreRig.backends(1))
        rig.run(1)
        rig.connect = { _ in .fail() }
        for _ in 0..<4 {
            #expect(rig.claims[rig.claim()].slot != nil)
            rig.run(3)
        }
        #expect(rig.stats("b01").failedConnects > 3)
        #expect(rig.stats("b01").state == .suspect)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 39: a removed backend's idle connections close at once, lent ones when they come back")
    func removalDrains() {
        let rig = ClaimTests.fixed(4)
        let claims = [rig.claim(), rig.claim()]
        rig.resolve([])
        #expect(rig.closings.count == 2)
        rig.run(1)
        #expect(rig.core.counts.all == 2)
        rig.giveBack(claims[0])
        rig.giveBack(claims[1])
        rig.run(0)
        #expect(rig.closings.count == 4)
        #expect(rig.core.counts.all == 0 && rig.core.known.isEmpty)
        #expect(rig.broken == nil)
    }

    @Test(
        "behaviour 40: a swap at full use never exceeds sixteen sockets and serves waiters as leases return")
    func swapAtFullUse() {
        let rig = CoreRig(backends: [CoreRig.backend("a")])
        rig.run(1)
        var held = (0..<16).map { _ in rig.claim() }
        rig.run(5)
        #expect(held.allSatisfy { rig.claims[$0].slot != nil })
        let waiting = (0..<4).map { _ in rig.claim() }
        rig.resolve([CoreRig.backend("b")])
        for waiter in waiting {
            rig.giveBack(held.removeLast())
            rig.run(0.1)
            #expect(rig.backendOf(rig.claims[waiter].slot!) == "b")
        }
        #expect(rig.mostSockets == 16)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 44: only the best priority that lives has slots, and weights share them")
    func priorityAndWeight() {
        let rig = CoreRig()
        var down: Set<String> = []
        rig.connect = { down.contains($0.name) ? .fail() : .succeed() }
        rig.resolve([
            CoreRig.backend("a", priority: 10, weight: 3), CoreRig.backend("b", priority: 10, weight: 1),
            CoreRig.backend("c", priority: 20),
        ])
        rig.run(1)
        #expect((5...7).contains(rig.usable()[0]))
        #expect(rig.usable().reduce(0, +) == 8)
        #expect(rig.usable()[2] == 0)
        down = ["a", "b"]
        for slot in rig.core.slots.indices where rig.core.slots[slot].state == .idle {
            rig.core.slots[slot].checkBy = rig.now
            rig.core.arm(slot, by: rig.now)
        }
        rig.check = { _ in .fail() }
        rig.run(30)
        rig.check = { _ in .succeed() }
        rig.run(30)
        #expect(rig.usable() == [0, 0, 8])
        down = []
        rig.run(120)
        #expect(rig.usable()[2] == 0)
        #expect(rig.usable().reduce(0, +) == 8)
        #expect(rig.broken == nil)
    }

    @Test func aClaimWithARequirementGetsOnlyWhatMeetsIt() {
        let rig = CoreRig()
        rig.learn = { ["role": $0.name == "b01" ? "primary" : "standby"] }
        rig.resolve(CoreRig.backends(2))
        rig.run(1)
        var request = ClaimRequest.any
        request.requirement = ["role": "primary"]
        for _ in 0..<12 {
            let claim = rig.claim(request)
            rig.run(6)
            #expect(rig.claims[claim].slot.map { rig.backendOf($0) } == "b01")
        }
        #expect(rig.mostSockets <= 16)
        request.requirement = ["role": "witness"]
        let hopeless = rig.claim(request)
        rig.run(31)
        #expect(rig.claims[hopeless].code == .noBackendsOnline)
        #expect(rig.broken == nil)
    }

    @Test func hintsPreferTheSameConnectionThenTheSameWorker() {
        let rig = ClaimTests.fixed(4)
        let claims = (0..<4).map { _ in rig.claim() }
        for (worker, claim) in claims.enumerated() {
            let slot = rig.claims[claim].slot!
            _ = rig.core.giveBack(slot, .clean, affinity: worker % 2, now: rig.now)
        }
        var request = ClaimRequest.any
        request.preferredSlot = rig.claims[claims[1]].slot
        request.affinity = 0
        let first = rig.claim(request)
        #expect(rig.claims[first].slot == rig.claims[claims[1]].slot)
        let second = rig.claim(request)
        #expect(rig.claims[second].slot == rig.claims[claims[2]].slot)
        #expect(rig.broken == nil)
    }

    @Test func aConnectIsForTheOldestWaiterWithoutOne() {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 0
                $0.connectConcurrency = 2
            }, backends: CoreRig.backends(1))
        rig.connect = { _ in .hang }
        for worker in 0..<3 {
            var request = ClaimRequest.any
            request.affinity = worker
            rig.claim(request)
        }
        #expect(rig.attempts.map(\.affinity) == [0, 1])
        #expect(rig.broken == nil)
    }
}
