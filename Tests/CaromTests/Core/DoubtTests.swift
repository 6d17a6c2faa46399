// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

/// Backends that refuse or say nothing, beside others.
@Suite("Doubt")
struct DoubtTests {
    /// As a pooler's route: no spares, nothing closed.
    private static func route(_ slots: Int, _ change: (inout Policy) -> Void = { _ in }) -> Policy {
        Policy.with {
            $0.maxSlots = slots
            $0.perBackendMax = slots
            $0.spares = 0
            $0.shrink = .never
            change(&$0)
        }
    }

    @Test("behaviour 51: refusing backends cost the claim nothing", arguments: 1...20)
    func refusingBackendsCostNothing(seed: Int) {
        for refusing in 1...4 {
            let rig = CoreRig(Self.route(4), seed: UInt64(seed))
            rig.connect = { $0.name == "b01" ? .succeed(after: ms) : .fail(after: ms) }
            rig.resolve(CoreRig.backends(1 + refusing))
            let claim = rig.claim()
            rig.run(0.01)
            #expect(rig.claims[claim].slot.map { rig.backendOf($0) } == "b01")
            #expect(rig.mostSockets <= 4)
            #expect(rig.broken == nil)
        }
    }

    @Test("behaviour 52: a silent backend holds a claim up for the hedge delay only", arguments: 1...20)
    func silentBackendsAreHedged(seed: Int) {
        for silent in 1...2 {
            for slots in [1, 2, 4] {
                let rig = CoreRig(Self.route(slots), seed: UInt64(seed))
                rig.connect = { $0.name == "b01" ? .succeed(after: ms) : .hang }
                rig.resolve(CoreRig.backends(1 + silent))
                let claim = rig.claim()
                rig.run(0.3 * Double(silent) + 0.05)
                #expect(rig.claims[claim].slot.map { rig.backendOf($0) } == "b01", "\(slots) slots")
                let others = (1..<slots).map { _ in rig.claim() }
                rig.run(0.3 * Double(silent) + 0.05)
                #expect(others.allSatisfy { rig.claims[$0].slot.map { rig.backendOf($0) } == "b01" })
                #expect(rig.mostSockets <= slots)
                #expect(rig.broken == nil)
            }
        }
    }

    @Test func aFullPoolGivesASlowConnectsPlaceAwayAndBlamesItsBackend() {
        let rig = CoreRig(Self.route(1))
        rig.connect = { _ in .hang }
        rig.resolve(CoreRig.backends(2))
        rig.claim()
        rig.run(0.29)
        #expect(rig.attempts.count == 1)
        rig.run(0.02)
        #expect(rig.attempts.map(\.at) == [0, 300 * ms])
        #expect(rig.attempts[0].backend != rig.attempts[1].backend)
        #expect(
            rig.stats.backends.filter { $0.failedConnects == 1 }.map(\.lastError) == [
                "connect: no answer within 0.3 seconds"
            ])
        #expect(rig.mostSockets == 1)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 53: backends that are only slow are reached, however small the pool")
    func slowBackendsAreReached() {
        let rig = CoreRig(Self.route(1))
        rig.connect = { _ in .succeed(after: 700 * ms) }
        rig.resolve(CoreRig.backends(2))
        let claim = rig.claim()
        rig.run(4)
        #expect(rig.claims[claim].slot != nil)
        #expect(rig.mostSockets == 1)
        #expect(rig.broken == nil)
    }

    @Test func whatIsUsualForABackendIsNotSlow() {
        let rig = CoreRig(Self.route(4))
        rig.connect = { _ in .succeed(after: 500 * ms) }
        rig.resolve(CoreRig.backends(1))
        rig.claim()
        rig.run(0.4)
        #expect(rig.stats("b01").state == .suspect)
        rig.run(0.2)
        #expect(rig.stats("b01").state == .online)
        rig.claim()
        rig.run(0.4)
        #expect(rig.stats("b01").state == .online)
        #expect(rig.broken == nil)
    }

    @Test func theLoserOfARaceIsKeptByAPoolThatKeepsWhatItOpened() {
        let rig = CoreRig(Self.route(4))
        rig.connect = { [unowned rig] _ in .succeed(after: rig.attempts.count == 1 ? 500 * ms : 10 * ms) }
        rig.resolve(CoreRig.backends(2))
        let claim = rig.claim()
        rig.run(1)
        #expect(rig.claims[claim].slot == rig.attempts[1].slot)
        #expect(rig.usable() == [1, 1])
        #expect(rig.closings.isEmpty)
        rig.giveBack(claim)
        rig.run(60)
        #expect(rig.usable() == [1, 1] && rig.attempts.count == 2)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 54: the next priority takes over at the first failure and gives back when that is over")
    func theNextPriorityTakesOverAtOnce() {
        let rig = CoreRig(Self.route(4))
        var up = false
        rig.connect = { up || $0.name == "b02" ? .succeed(after: ms) : .fail(after: ms) }
        rig.resolve([CoreRig.backend("b01", priority: 1), CoreRig.backend("b02", priority: 2)])
        let first = rig.claim()
        rig.run(0.01)
        #expect(rig.claims[first].slot.map { rig.backendOf($0) } == "b02")
        up = true
        rig.run(1)
        #expect(rig.usable()[0] >= 1, "the better one is asked again")
        let second = rig.claim()
        rig.run(0.01)
        #expect(rig.claims[second].slot.map { rig.backendOf($0) } == "b01")
        #expect(rig.broken == nil)
    }

    @Test func aBackendThatIsFullKeepsWhatItHasAndTheRestGoesToOthers() {
        let rig = CoreRig(Self.route(8))
        var opened = 0
        rig.connect = { backend in
            if backend.name == "b02" { return .succeed() }
            opened += 1
            return opened > 2 ? .fail(reason: "too many connections") : .succeed()
        }
        rig.resolve(CoreRig.backends(2))
        let claims = (0..<8).map { _ in rig.claim() }
        rig.run(1)
        #expect(claims.allSatisfy { rig.claims[$0].slot != nil })
        #expect(rig.usable() == [2, 6])
        #expect(rig.mostSockets == 8)
        #expect(rig.broken == nil)
    }

    @Test func silentBackendsDoNotUseUpTheConnectsInFlight() {
        let rig = CoreRig(Self.route(100) { $0.totalConnectConcurrency = 4 })
        rig.connect = { $0.name == "b01" ? .succeed(after: ms) : .hang }
        rig.resolve(CoreRig.backends(9))
        let claims = (0..<50).map { _ in rig.claim() }
        rig.run(3)
        #expect(claims.allSatisfy { rig.claims[$0].slot != nil })
        #expect(rig.broken == nil)
    }

    @Test("a claim that fails beside free slots is told of the backends, not that all are in use")
    func theErrorSaysWhatIsWrong() {
        let rig = CoreRig(Self.route(4) { $0.claimTimeout = .seconds(3) })
        var opened = 0
        rig.connect = { _ in
            opened += 1
            return opened == 1 ? .succeed() : .hang
        }
        rig.resolve(CoreRig.backends(1))
        rig.claim()
        let second = rig.claim()
        rig.run(4)
        #expect(rig.claims[second].code == .noBackendsOnline)
        #expect(rig.stats("b01").lastError == "connect: no answer within 0.3 seconds")
        #expect(rig.broken == nil)
    }
}
