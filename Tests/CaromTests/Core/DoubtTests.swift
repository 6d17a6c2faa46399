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

    /// Keeps clients at work that each have a connection for a while, then none; returns how long each claim waited.
    private static func work(_ rig: CoreRig, clients: Int, seconds: Double, hold: Int64 = 40 * ms) -> [Int64]
    {
        var random = SeededRandom(seed: 11)
        var began = (0..<clients).map { _ in (claim: rig.claim(), at: rig.now, until: Int64.never) }
        var waits: [Int64] = []
        let end = rig.now + Int64(seconds * 1e9)
        while rig.now < end {
            rig.run(until: rig.now + 5 * ms)
            for client in began.indices {
                guard case .served(let slot, let at) = rig.claims[began[client].claim] else { continue }
                if began[client].until == .never {
                    waits.append(at - began[client].at)
                    began[client].until = at + 1 + Int64(random.below(Int(hold)))
                } else if rig.now >= began[client].until {
                    rig.giveBack(slot)
                    began[client] = (rig.claim(), rig.now, .never)
                }
            }
        }
        for client in began {
            if let waiter = rig.waiter(of: client.claim) { _ = rig.core.cancel(waiter, now: rig.now) }
        }
        for client in began where rig.claims[client.claim].slot != nil { rig.giveBack(client.claim) }
        return waits
    }

    @Test(arguments: [false, true])
    func oneOfAHundredThatIsDownCostsNobodyMuch(isSilent: Bool) {
        for position in 1...100 {
            let rig = CoreRig(
                Self.route(16) {
                    $0.hedgeDelay = .milliseconds(100)
                    $0.maxBackoff = .seconds(1)
                    $0.decoherenceInterval = .milliseconds(300)
                }, seed: UInt64(position))
            let down = CoreRig.backends(100)[position - 1].name
            rig.checking = false
            rig.connect = { $0.name != down ? .succeed(after: ms) : isSilent ? .hang : .fail(after: ms) }
            rig.resolve(CoreRig.backends(100))
            let waits = Self.work(rig, clients: 14, seconds: 2)
            #expect(
                waits.count > 500 && (waits.max() ?? .max) <= 200 * ms,
                "\(down): \((waits.max() ?? .max) / ms) ms")
            #expect(rig.core.slots.count <= 17 && rig.core.backends.count == 100 && rig.mostSockets <= 16)
        }
    }

    @Test(arguments: [false, true], [2, 12])
    func aFullPoolFindsOutThatABackendIsBack(isSilent: Bool, slots: Int) {
        let rig = CoreRig(
            Self.route(slots) {
                $0.hedgeDelay = .milliseconds(100)
                $0.maxBackoff = .seconds(1)
            })
        rig.connect = { $0.name == "b01" ? (isSilent ? .hang : .fail()) : .succeed(after: ms) }
        rig.resolve(CoreRig.backends(2))
        _ = Self.work(rig, clients: slots * 2, seconds: 12)
        #expect(rig.usable()[1] >= slots - 1 && rig.usable()[0] == 0)
        let probes = rig.attempts.count { $0.backend.name == "b01" && $0.at > 6 * second }
        #expect((1...4).contains(probes), "\(probes) probes of a full pool in six seconds")
        let waits = Self.work(rig, clients: slots * 2, seconds: 12)
        #expect((waits.max() ?? .max) < 400 * ms, "\((waits.max() ?? .max) / ms) ms")
        rig.connect = { _ in .succeed(after: ms) }
        _ = Self.work(rig, clients: slots * 2, seconds: 12)
        #expect(rig.usable() == [slots / 2, slots / 2])
        #expect(rig.broken == nil && rig.mostSockets <= slots)
    }

    @Test func aFullPoolOfOneKindFindsOutToo() {
        let rig = CoreRig(Self.route(24) { $0.scope = .only(["role": "standby"]) })
        rig.learn = { ["role": $0.name == "b01" ? "primary" : "standby"] }
        rig.connect = { $0.name == "b02" ? .succeed(after: ms) : .fail() }
        rig.resolve(CoreRig.backends(4))
        _ = Self.work(rig, clients: 30, seconds: 10)
        #expect(rig.usable()[1] >= 23)
        rig.connect = { _ in .succeed(after: ms) }
        _ = Self.work(rig, clients: 30, seconds: 30)
        #expect(rig.usable() == [0, 8, 8, 8])
        #expect(rig.broken == nil)
    }

    @Test(arguments: [false, true])
    func aFullPoolFindsOutThatABackendThatLetSomeInLetsMoreIn(isSilent: Bool) {
        let rig = CoreRig(
            Self.route(6) {
                $0.hedgeDelay = .milliseconds(100)
                $0.maxBackoff = .seconds(1)
            })
        rig.connect = { [unowned rig] backend in
            if backend.name != "b01" || rig.attempts.count(where: { $0.backend.name == "b01" }) == 1 {
                return .succeed(after: ms)
            }
            return isSilent ? .hang : .fail()
        }
        rig.resolve(CoreRig.backends(3))
        _ = Self.work(rig, clients: 12, seconds: 12)
        #expect(rig.usable().reduce(0, +) >= 5 && rig.usable()[0] == 1)
        let probes = rig.attempts.count { $0.backend.name == "b01" && $0.at > 6 * second }
        #expect((1...4).contains(probes), "\(probes) probes of a full pool in six seconds")
        rig.connect = { _ in .succeed(after: ms) }
        _ = Self.work(rig, clients: 12, seconds: 12)
        #expect(rig.usable() == [2, 2, 2] && rig.stats("b01").state == .online)
        #expect(rig.broken == nil && rig.mostSockets <= 6)
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
